import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import type { DeliveryQuery } from '../../api/delivery-query.ts';
import { useEndpointNames } from '../../api/endpoint-names.ts';
import { failureGroupsQuery } from '../../api/queries.ts';
import { percent, whole } from '../../format/numbers.ts';
import { sentence } from '../../format/words.ts';
import { Loaded } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Count, Quiet, Time } from '../../ui/text.tsx';
import { isSelectedAlone, narrowed } from './narrowed.ts';

/** A screen of groups; the rest is summed up below it. */
const SHOWN = 50;

type Group = Schema<'FailureGroup'>;

/** The deliveries that match by endpoint, cause and status: each number leads to its list. */
export function Groups({ query }: { query: DeliveryQuery }) {
  const groups = useQuery(failureGroupsQuery(query, ['endpoint', 'fault', 'status']));
  const nameOf = useEndpointNames();
  const shown = { ...query, state: query.state ?? 'any' };
  return (
    <Section
      title="By endpoint and cause"
      aside={
        groups.data && (
          <>
            {groups.data.basis === 'exact' ? 'exact as of ' : 'the first of them, as of '}
            <Time at={groups.data.asOf} whole />
          </>
        )
      }
    >
      <Loaded query={groups} what="the groups">
        {(answer) => {
          const { groups: found, count, others } = answer;
          return found.length === 0 ? (
            <Quiet>Nothing matches.</Quiet>
          ) : (
            <>
              <Table
                label="Failures by endpoint and cause"
                rows={found.slice(0, SHOWN)}
                rowKey={keyOf}
                columns={[
                  {
                    key: 'endpoint',
                    head: 'Endpoint',
                    cell: (group) => (group.endpointId ? nameOf(group.endpointId) : '–'),
                  },
                  {
                    key: 'fault',
                    head: 'Cause',
                    cell: ({ faultCode }) => (faultCode ? sentence(faultCode) : 'None yet'),
                  },
                  { key: 'status', head: 'Status', wide: true, cell: ({ httpStatus }) => httpStatus ?? '–' },
                  {
                    key: 'share',
                    head: 'Share',
                    right: true,
                    wide: true,
                    cell: (group) => percent(group.count, count),
                  },
                  {
                    key: 'count',
                    head: 'Deliveries',
                    right: true,
                    cell: (group) =>
                      isSelectedAlone(group, answer) ? (
                        <Link to="/failures" search={{ ...shown, ...narrowed(group) }} resetScroll={false}>
                          <Count of={group.count} />
                        </Link>
                      ) : (
                        <Count of={group.count} />
                      ),
                  },
                  {
                    key: 'recover',
                    head: <span className="hidden-text">Recover</span>,
                    right: true,
                    cell: (group) =>
                      isSelectedAlone(group, answer) ? (
                        <Link to="/recover" search={{ ...shown, ...narrowed(group) }}>
                          Recover…
                        </Link>
                      ) : null,
                  },
                ]}
              />
              {found.length > SHOWN || others.groups > 0 ? (
                <Quiet>
                  and {whole(count - found.slice(0, SHOWN).reduce((sum, group) => sum + group.count, 0))} more
                  in smaller groups: narrow the filter down to see them.
                </Quiet>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}

function keyOf({ endpointId, faultCode, httpStatus }: Group): string {
  return `${endpointId} ${faultCode} ${httpStatus}`;
}

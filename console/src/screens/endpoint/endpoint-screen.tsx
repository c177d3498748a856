import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Schema } from '../../api/client.ts';
import { endpointQuery, failureGroupsQuery, outagesQuery } from '../../api/queries.ts';
import { duration } from '../../format/durations.ts';
import { rate, whole } from '../../format/numbers.ts';
import { sentence, words } from '../../format/words.ts';
import { buttonClass } from '../../ui/button.tsx';
import { Loaded } from '../../ui/notice.tsx';
import { Facts, PageHead, Section } from '../../ui/page.tsx';
import { ShowMore } from '../../ui/show-more.tsx';
import { State } from '../../ui/state.tsx';
import { Table } from '../../ui/tables/table.tsx';
import { Count, IdText, Quiet, Time } from '../../ui/text.tsx';
import { isSelectedAlone, narrowed } from '../failures/narrowed.ts';
import { Certificates } from './certificates.tsx';
import { EndpointActs } from './endpoint-acts.tsx';
import { Traffic } from './traffic.tsx';
import { Versions } from './versions.tsx';

type Endpoint = Schema<'EndpointDetails'>;

/** An endpoint: how it does, what waits for it, what it missed, and how it has changed. */
export function EndpointScreen() {
  const { id } = useParams({ from: '/endpoints/$id' });
  const query = useQuery({ ...endpointQuery(id), refetchInterval: 5_000 });
  return query.data ? (
    <Shown endpoint={query.data} />
  ) : (
    <>
      <PageHead title="Endpoint" beside={<IdText id={id} />} />
      <Loaded query={query} what="the endpoint">
        {() => null}
      </Loaded>
    </>
  );
}

function Shown({ endpoint }: { endpoint: Endpoint }) {
  const { id, handle, state, circuit, waiting, waitingFor, retry, latency } = endpoint;
  return (
    <>
      <PageHead
        title={handle}
        beside={
          <>
            <IdText id={id} />
            <State state={state} />
          </>
        }
        about={endpoint.url}
        actions={<EndpointActs endpoint={endpoint} />}
      />
      <Section title="Now">
        <Facts
          facts={{
            Circuit: (
              <State state={circuit} text={circuit === 'open' ? 'Open: left alone' : sentence(circuit)} />
            ),
            // No list has just these: what waits here is also what a retry has taken up again.
            Waiting: <Count of={waiting.deliveries} basis={waiting.more ? 'atLeast' : 'exact'} />,
            'Deliveries wait for':
              waitingFor.length === 0
                ? 'nothing'
                : waitingFor.map(({ what, until }) => (
                    <div key={what}>
                      {words(what)}
                      {until === undefined ? null : (
                        <>
                          {' '}
                          until <Time at={until} />
                        </>
                      )}
                    </div>
                  )),
            'What blocks it': endpoint.ordered ? (
              <Link to="/failures" search={{ endpointIds: [id], state: 'failed' }}>
                failed deliveries before others of their key
              </Link>
            ) : undefined,
            'Disabled for': endpoint.disabledReason === null ? undefined : words(endpoint.disabledReason),
            'Half answer within': latency ? duration(latency.p50Ms) : undefined,
            '95 of 100 within': latency ? duration(latency.p95Ms) : undefined,
            'Rate limit': endpoint.ratePerSecond === null ? 'none' : rate(endpoint.ratePerSecond),
            'Requests at a time': [
              endpoint.maxConcurrency === null ? 'as it bears' : `at most ${whole(endpoint.maxConcurrency)}`,
              endpoint.window === null ? undefined : `${whole(endpoint.window)} now`,
            ]
              .filter(Boolean)
              .join(', '),
            'Time to answer': duration(endpoint.timeoutMs),
            Attempts: `${retry.maxAttempts}, the first wait ${duration(retry.initialMs)}`,
            'When nobody knows': words(endpoint.onAmbiguous),
            'Told of traces': endpoint.traceparent ? 'by traceparent' : undefined,
            Version: endpoint.version,
          }}
        />
      </Section>
      <Certificates endpoint={endpoint} />
      <Traffic endpointId={id} />
      <Missed endpointId={id} />
      <Outages endpointId={id} />
      <Versions endpointId={id} />
    </>
  );
}

function Missed({ endpointId }: { endpointId: string }) {
  const query = useQuery(
    failureGroupsQuery({ endpointIds: [endpointId], state: ['failed'] }, ['fault', 'status']),
  );
  return (
    <Section
      title="What failed"
      aside={
        <Link
          to="/recover"
          search={{ endpointIds: [endpointId], state: 'failed' }}
          className={buttonClass(undefined, true)}
        >
          Recover what it missed…
        </Link>
      }
    >
      <Loaded query={query} what="the failures">
        {(found) =>
          found.groups.length === 0 ? (
            <Quiet>Nothing.</Quiet>
          ) : (
            <Table
              label="Failures of the endpoint"
              rows={found.groups}
              rowKey={({ faultCode, httpStatus }) => `${faultCode} ${httpStatus}`}
              columns={[
                { key: 'fault', head: 'Cause', cell: ({ faultCode }) => sentence(faultCode ?? 'none yet') },
                { key: 'status', head: 'Status', cell: ({ httpStatus }) => httpStatus ?? '–' },
                {
                  key: 'count',
                  head: 'Deliveries',
                  right: true,
                  cell: (group) =>
                    isSelectedAlone(group, found) ? (
                      <Link
                        to="/failures"
                        search={{ ...narrowed(group), endpointIds: [endpointId], state: 'failed' }}
                      >
                        {whole(group.count)}
                      </Link>
                    ) : (
                      whole(group.count)
                    ),
                },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

function Outages({ endpointId }: { endpointId: string }) {
  const query = useInfiniteQuery(outagesQuery({ endpointIds: [endpointId] }));
  return (
    <Section title="Outages">
      <Loaded query={query} what="the outages">
        {({ pages }) =>
          pages[0]?.items.length === 0 ? (
            <Quiet>None that is remembered.</Quiet>
          ) : (
            <>
              <Table
                label="Outages"
                rows={pages.flatMap(({ items }) => items)}
                rowKey={({ id }) => id}
                columns={[
                  {
                    key: 'from',
                    head: 'From',
                    cell: ({ id, window }) => (
                      <Link to="/recover" search={{ outage: id }}>
                        <Time at={window.from} whole />
                      </Link>
                    ),
                  },
                  {
                    key: 'to',
                    head: 'To',
                    cell: ({ window }) => (window.to === null ? 'now' : <Time at={window.to} />),
                  },
                  { key: 'cause', head: 'Cause', cell: ({ cause }) => sentence(cause) },
                  {
                    key: 'state',
                    head: 'State',
                    cell: ({ state }) => (
                      <State state={state} text={state === 'open' ? 'Still failing' : sentence(state)} />
                    ),
                  },
                ]}
              />
              <ShowMore query={query} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

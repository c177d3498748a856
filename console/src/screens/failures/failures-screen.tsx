import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type DeliveryQuery, deliveryQueryOf } from '../../api/delivery-query.ts';
import { deliveryPages } from '../../api/queries.ts';
import { inputList, type SearchInput } from '../../api/search-input.ts';
import { counted } from '../../format/numbers.ts';
import { useUrl } from '../../shell/url.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { NoValues } from '../../ui/no-values.tsx';
import { Empty } from '../../ui/notice.tsx';
import { PageHead, Section } from '../../ui/page.tsx';
import { LongTable } from '../../ui/tables/long-table.tsx';
import { usePagedRows } from '../../ui/tables/paged-rows.ts';
import { curlFor } from '../recover/curl.ts';
import { useDeliveryColumns } from './delivery-columns.tsx';
import { FilterBar } from './filter-bar.tsx';
import { filterName } from './filter-names.ts';
import { noValuesIn } from './filter-values.ts';
import { Groups } from './groups.tsx';
import { Hours } from './hours.tsx';
import { Matching } from './matching.tsx';

/** More ids than these do not fit into an address: a filter says it better. */
const MOST_PICKED = 100;

/** The deliveries that failed: when, where, why, and which. */
export function FailuresScreen() {
  const [search, change] = useUrl();
  const states = inputList(search.state) ?? ['failed'];
  const query: DeliveryQuery = deliveryQueryOf({
    ...search,
    state: states.includes('any') ? undefined : states,
  });
  const failures = !states.includes('any') && states.every((state) => state === 'failed');
  const noValues = noValuesIn(query);
  const none = noValues.length > 0;
  const picking = usePicking();
  const ids = [...picking.picked];
  return (
    <>
      <PageHead
        title={failures ? 'Failures' : 'Deliveries'}
        about={
          failures ? 'Deliveries that were given up. Narrow them down, then recover what is left.' : undefined
        }
        actions={
          <>
            {ids.length === 0 ? null : (
              <Link
                to="/recover"
                search={{ ids: ids.slice(0, MOST_PICKED) }}
                className={buttonClass()}
                title={
                  ids.length > MOST_PICKED ? `The first ${MOST_PICKED}: use a filter for more.` : undefined
                }
              >
                Recover the {counted(Math.min(ids.length, MOST_PICKED), 'picked one', 'picked ones')}…
              </Link>
            )}
            {none ? (
              <Button look="primary" refused="This filter matches nothing.">
                Recover all that match…
              </Button>
            ) : (
              <Link to="/recover" search={{ ...query, state: states }} className={buttonClass('primary')}>
                Recover all that match…
              </Link>
            )}
          </>
        }
      />
      <FilterBar search={{ ...search, state: states }} change={change} />
      {none ? (
        <NoValues found={noValues} nameOf={filterName} />
      ) : (
        <Matches query={query} picking={picking} change={change} />
      )}
    </>
  );
}

interface Picking {
  picked: ReadonlySet<string>;
  toggle: (id: string) => void;
}

function usePicking(): Picking {
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  return {
    picked,
    toggle: (id) =>
      setPicked((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
  };
}

/** What matches: when, where and why, and which. */
function Matches({
  query,
  picking,
  change,
}: {
  query: DeliveryQuery;
  picking: Picking;
  change: (change: SearchInput) => void;
}) {
  return (
    <>
      <Hours query={query} onRange={(from, to) => change({ from, to })} />
      <Groups query={query} />
      <Section title="Deliveries" aside={<Matching query={query} picked={picking.picked.size} />}>
        <Deliveries query={query} picking={picking} />
      </Section>
    </>
  );
}

function Deliveries({ query, picking }: { query: DeliveryQuery; picking: Picking }) {
  const rows = usePagedRows(deliveryPages(query));
  const columns = useDeliveryColumns();
  return (
    <LongTable
      label="Deliveries"
      rows={rows}
      columns={columns}
      rowKey={({ id }) => id}
      picking={picking}
      empty={
        <Empty
          title="Nothing matches"
          command={curlFor(location.origin, 'GET', '/api/v1/deliveries?state=failed')}
        >
          <p>
            No delivery is like this now. Take a part of the filter away, or ask the API for the same list:
          </p>
        </Empty>
      }
    />
  );
}

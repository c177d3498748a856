import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { usePolling } from '../../api/live.ts';
import { OPEN_STATES } from '../../api/operation-states.ts';
import { type OperationFilter, operationsQuery } from '../../api/queries.ts';
import { orMore } from '../../format/numbers.ts';
import { Loaded } from '../../ui/notice.tsx';
import { Section } from '../../ui/page.tsx';
import { Quiet } from '../../ui/text.tsx';
import { OperationsTable } from '../operations/operations-table.tsx';
import { firstOfAll } from './first-of-all.ts';

const SHOWN = 20;

/** What runs or stands still, before what waits for somebody, before plans: asked for apart, for many of one hide the others. */
const UNDER_WAY = OPEN_STATES.filter((state) => state !== 'planned' && state !== 'awaiting_approval');

/** The operations that somebody or something still has to do with. */
export function OpenOperations() {
  const underWay = useOperations(UNDER_WAY);
  const waiting = useOperations(['awaiting_approval']);
  const planned = useOperations(['planned']);
  const queries = [underWay, waiting, planned];
  const failed = queries.find(({ error }) => error !== null);
  const query = failed ?? queries.find(({ isPending }) => isPending) ?? underWay;
  return (
    <Section title="Open operations" aside={<Link to="/operations">All operations</Link>}>
      <Loaded query={query} what="the open operations">
        {() => {
          const lists = queries.map(({ data, hasNextPage }) => ({
            items: (data?.pages ?? []).flatMap(({ items }) => items),
            more: hasNextPage,
          }));
          const { first, left, atLeast } = firstOfAll(lists, SHOWN);
          return first.length === 0 ? (
            <Quiet>
              Nothing is being recovered. <Link to="/failures">Look at what failed.</Link>
            </Quiet>
          ) : (
            <>
              <OperationsTable operations={first} />
              {left > 0 || atLeast ? (
                <p>
                  <Link to="/operations" search={{ state: [...OPEN_STATES] }}>
                    and {orMore(left, atLeast)} more
                  </Link>
                </p>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </Section>
  );
}

function useOperations(state: NonNullable<OperationFilter['state']>) {
  return useInfiniteQuery({ ...operationsQuery({ state }), refetchInterval: usePolling(3_000) });
}

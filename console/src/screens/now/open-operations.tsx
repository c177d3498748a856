import { type UseInfiniteQueryResult, useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Schema } from '../../api/client.ts';
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

type States = NonNullable<OperationFilter['state']>;

/** What is under way: a plan that nobody has executed is none of it. */
const OPEN = OPEN_STATES.filter((state) => state !== 'planned');
/** What runs or stands still, before what waits for somebody: asked for apart, for many of one hide the others. */
const UNDER_WAY = OPEN.filter((state) => state !== 'awaiting_approval');

/** The operations that somebody or something still has to do with; plans that wait to be executed apart. */
export function OpenOperations() {
  const underWay = useOperations(UNDER_WAY);
  const waiting = useOperations(['awaiting_approval']);
  const planned = useOperations(['planned']);
  return (
    <>
      <Section title="Open operations" aside={<Link to="/operations">All operations</Link>}>
        <Listed
          what="the open operations"
          label="Operations"
          queries={[underWay, waiting]}
          states={OPEN}
          none={
            <Quiet>
              Nothing is being recovered. <Link to="/failures">Look at what failed.</Link>
            </Quiet>
          }
        />
      </Section>
      {planned.data?.pages[0]?.items.length === 0 || planned.isPending ? null : (
        <Section title="Plans that nobody has executed">
          <Listed what="the plans" label="Plans" queries={[planned]} states={['planned']} none={null} />
        </Section>
      )}
    </>
  );
}

type Operations = Pick<
  UseInfiniteQueryResult<{ pages: { items: Schema<'OperationSummary'>[] }[] }>,
  'data' | 'error' | 'isPending' | 'refetch' | 'hasNextPage'
>;

/** The first of some lists, one behind the other, and how many there are beyond. */
function Listed({
  what,
  label,
  queries,
  states,
  none,
}: {
  what: string;
  label: string;
  queries: readonly [Operations, ...Operations[]];
  /** Of all of them. */
  states: States;
  none: ReactNode;
}) {
  const failed = queries.find(({ error }) => error !== null);
  const query = failed ?? queries.find(({ isPending }) => isPending) ?? queries[0];
  return (
    <Loaded query={query} what={what}>
      {() => {
        const lists = queries.map(({ data, hasNextPage }) => ({
          items: (data?.pages ?? []).flatMap(({ items }) => items),
          more: hasNextPage,
        }));
        const { first, left, atLeast } = firstOfAll(lists, SHOWN);
        return first.length === 0 ? (
          none
        ) : (
          <>
            <OperationsTable operations={first} label={label} />
            {left > 0 || atLeast ? (
              <p>
                <Link to="/operations" search={{ state: [...states] }}>
                  and {orMore(left, atLeast)} more
                </Link>
              </p>
            ) : null}
          </>
        );
      }}
    </Loaded>
  );
}

function useOperations(state: States) {
  return useInfiniteQuery({ ...operationsQuery({ state }), refetchInterval: usePolling(3_000) });
}

import { setTimeout as delay } from 'node:timers/promises';
import { fixedId, type Id } from '../../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../../store/db/pool.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Queryable, Transaction } from '../../../store/db/queryable.ts';

/** How far a tenant's list is: whole for good, whole for whoever asked just now, or not whole yet. */
export type ListState = 'complete' | 'current' | 'unfinished';

/** How a list is taken in: for how long at most, and so many deliveries at once. */
export interface Taking {
  forMs?: number;
  atOnce?: number;
  stop?: AbortSignal | undefined;
}

const PATIENCE_MS = 2_000;
const DELIVERIES_AT_ONCE = 5_000;
/** Until a page that somebody else takes in is asked for again. */
const BUSY_MS = 50;

/**
 * Has the executions of a tenant listed in the order in which they ended, from its first question for that order on: once
 * it has asked, the triggers of the queue list whatever is queued and ends. Takes in what was there before; and all of it at
 * each question, for as long as a transaction runs that had looked before the tenant asked, and may leave something out.
 * Behind those it is taken in once: the place is kept, and where the time is over the next question goes on there. Each step
 * is a transaction of its own: the tenant is seen by everybody before it is asked which transactions are older, and an end
 * never waits for the whole of what is taken in.
 */
export async function listExecutions(
  pool: Pool,
  tenantId: Id<'tenant'>,
  { forMs = PATIENCE_MS, atOnce = DELIVERIES_AT_ONCE, stop }: Taking = {},
): Promise<ListState> {
  const until = performance.now() + forMs;
  const known = await pool.query<{ complete: boolean }>(
    'select complete_at is not null as complete from listed_tenants where tenant_id = $1',
    [tenantId],
  );
  if (known.rows[0]?.complete) return 'complete';
  await pool.query('insert into listed_tenants (tenant_id) values ($1) on conflict do nothing', [tenantId]);
  await pool.query(
    // The id of a transaction that begins behind the one that has made the row. Whoever looked before that was committed had an
    // id by then, which is lower than this one: all that look have written before, and look anew at each statement. What a
    // snapshot calls its end would not do, for it is the id behind the last that has ended: one that runs may have it.
    `update listed_tenants set behind = pg_current_xact_id() where tenant_id = $1 and behind is null`,
    [tenantId],
  );
  const { rows } = await pool.query<{ alone: boolean }>(
    // By those of this database: what others do in theirs holds nobody back.
    `select not exists (select from pg_stat_activity a where a.datname = current_database() and a.backend_xid is not null
       and age(a.backend_xid) > age(t.behind::xid)) as alone
     from listed_tenants t where t.tenant_id = $1`,
    [tenantId],
  );
  const takePage = rows[0]?.alone ? nextForGood(pool, tenantId, atOnce) : nextForNow(pool, tenantId, atOnce);
  do {
    const state = await takePage();
    if (state) return state;
  } while (performance.now() < until && !stop?.aborted);
  return 'unfinished';
}

/**
 * Pages from the place that the tenant's row keeps, each in one transaction with it. Of several that ask, one at a time reads
 * a page. An end that was written by a trigger since is newer than what is read here: what is taken in only moves forwards.
 */
function nextForGood(
  pool: Pool,
  tenantId: Id<'tenant'>,
  limit: number,
): () => Promise<ListState | undefined> {
  const takePage = async (tx: Transaction) => {
    const { rows } = await tx.query<Page & { complete: boolean }>(
      `select complete_at is not null as complete, reached_at::text as "acceptedAt", reached_id as id from listed_tenants
       where tenant_id = $1 for no key update skip locked`,
      [tenantId],
    );
    const [place] = rows;
    if (!place) return 'busy';
    if (place.complete) return 'complete';
    const next = await takeInPage(tx, tenantId, place, limit);
    if (next)
      await tx.query('update listed_tenants set reached_at = $2, reached_id = $3 where tenant_id = $1', [
        tenantId,
        next.acceptedAt,
        next.id,
      ]);
    else
      await tx.query('update listed_tenants set complete_at = clock_timestamp() where tenant_id = $1', [
        tenantId,
      ]);
    return next ? undefined : 'complete';
  };
  return async () => {
    const state = await withTransaction(pool, takePage);
    if (state !== 'busy') return state;
    await delay(BUSY_MS);
    return undefined;
  };
}

/** Pages from the first one on, whose place is kept nowhere: each may lack what an older transaction has not committed yet. */
function nextForNow(pool: Pool, tenantId: Id<'tenant'>, limit: number): () => Promise<ListState | undefined> {
  let place = FIRST_PAGE;
  return async () => {
    const next = await takeInPage(pool, tenantId, place, limit);
    if (!next) return 'current';
    place = next;
    return undefined;
  };
}

/** Where a page of deliveries begins: behind this one. */
interface Page {
  acceptedAt: string;
  id: Id<'delivery'>;
}

/** Before all deliveries. */
export const FIRST_PAGE: Page = {
  acceptedAt: '-infinity',
  id: fixedId('delivery', '00000000-0000-0000-0000-000000000000'),
};

/**
 * Lists the executions of so many deliveries, by one view of them; returns where the next page begins. A page that is not
 * full is the last: a list of one page is whole however long it takes.
 */
export async function takeInPage(
  db: Queryable,
  tenantId: Id<'tenant'>,
  after: Page,
  limit: number,
): Promise<Page | undefined> {
  const { rows } = await db.query<{ accepted_at: string; id: Id<'delivery'>; taken: number }>(
    `with page as materialized (
       select d.accepted_at, d.id from deliveries d where d.tenant_id = $1 and (d.accepted_at, d.id) > ($2::timestamptz, $3::uuid)
       order by d.accepted_at, d.id limit $4
     ), listed as (
       insert into listed_executions as l (execution_id, tenant_id, finished_at, undelivered)
       -- Lateral with a limit: look-ups by delivery, whatever the planner thinks of the size of the tables.
       select r.id, $1, r.finished_at, coalesce(r.outcome <> 'delivered', false) from page p cross join lateral (
         select x.id, x.finished_at, x.outcome from execution_records x where x.delivery_id = p.id
         order by x.generation limit 1000000) r
       order by r.id
       on conflict (execution_id) do update set finished_at = excluded.finished_at, undelivered = excluded.undelivered
       where excluded.finished_at is not null and (l.finished_at is null or (l.undelivered and not excluded.undelivered))
     )
     select p.accepted_at::text, p.id, count(*) over ()::int as taken from page p
     order by p.accepted_at desc, p.id desc limit 1`,
    [tenantId, after.acceptedAt, after.id, limit],
  );
  const [last] = rows;
  return last?.taken === limit ? { acceptedAt: last.accepted_at, id: last.id } : undefined;
}

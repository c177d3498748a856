import { fixedId, type Id } from '../../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../../store/db/pool.ts';
import type { Queryable } from '../../../store/db/queryable.ts';

/**
 * Has the executions of a tenant listed in the order in which they ended, from its first question for that order on: once
 * it has asked, the triggers of the queue list whatever is queued and ends. Takes in what was there before; and again at
 * each question, for as long as a transaction runs that had looked before the tenant asked, and may have left something
 * out. Returns whether that is over. Each step is a transaction of its own: the tenant is seen by everybody before it is
 * asked which transactions are older, and an end never waits for the whole of what is taken in.
 */
export async function listExecutions(pool: Pool, tenantId: Id<'tenant'>): Promise<boolean> {
  const known = await pool.query<{ complete: boolean }>(
    'select complete_at is not null as complete from listed_tenants where tenant_id = $1',
    [tenantId],
  );
  if (known.rows[0]?.complete) return true;
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
  await takeIn(pool, tenantId);
  const alone = rows[0]?.alone ?? false;
  if (alone)
    await pool.query('update listed_tenants set complete_at = clock_timestamp() where tenant_id = $1', [
      tenantId,
    ]);
  return alone;
}

/**
 * Lists the executions of a tenant's deliveries, in pages: each statement is a short one, however much there is. An end that
 * was written by a trigger since is newer than what is read here: what is taken in only moves forwards.
 */
async function takeIn(pool: Pool, tenantId: Id<'tenant'>): Promise<void> {
  for (let page: Page | undefined = FIRST_PAGE; page; )
    page = await takeInPage(pool, tenantId, page, DELIVERIES_AT_ONCE);
}

/** Where a page of deliveries begins: behind this one. */
interface Page {
  acceptedAt: string;
  id: Id<'delivery'>;
}

const DELIVERIES_AT_ONCE = 5_000;
/** Before all deliveries. */
export const FIRST_PAGE: Page = {
  acceptedAt: '-infinity',
  id: fixedId('delivery', '00000000-0000-0000-0000-000000000000'),
};

/** Lists the executions of so many deliveries, by one view of them; returns where the next page begins, if there is one. */
export async function takeInPage(
  db: Queryable,
  tenantId: Id<'tenant'>,
  after: Page,
  limit: number,
): Promise<Page | undefined> {
  const { rows } = await db.query<{ accepted_at: string; id: Id<'delivery'> }>(
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
     select p.accepted_at::text, p.id from page p order by p.accepted_at desc, p.id desc limit 1`,
    [tenantId, after.acceptedAt, after.id, limit],
  );
  return rows[0] && { acceptedAt: rows[0].accepted_at, id: rows[0].id };
}

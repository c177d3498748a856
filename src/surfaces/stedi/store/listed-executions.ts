import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../../store/db/pool.ts';

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
    `update listed_tenants set behind = pg_snapshot_xmax(pg_current_snapshot())
     where tenant_id = $1 and behind is null`,
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
 * Lists what has ended, then what is open. An end that was written by a trigger since is newer than what is read here: what
 * is taken in only moves forwards.
 */
async function takeIn(pool: Pool, tenantId: Id<'tenant'>): Promise<void> {
  await pool.query(
    `insert into listed_executions as l (execution_id, tenant_id, finished_at, undelivered)
     select r.id, r.tenant_id, r.finished_at, r.outcome <> 'delivered' from execution_records r
     where r.tenant_id = $1 and r.outcome is not null order by r.id
     on conflict (execution_id) do update set finished_at = excluded.finished_at, undelivered = excluded.undelivered
     where l.finished_at is null or (l.undelivered and not excluded.undelivered)`,
    [tenantId],
  );
  await pool.query(
    `insert into listed_executions (execution_id, tenant_id, undelivered)
     select q.execution_id, q.tenant_id, false from queue q where q.tenant_id = $1 order by q.execution_id
     on conflict do nothing`,
    [tenantId],
  );
}

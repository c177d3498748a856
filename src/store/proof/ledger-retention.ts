import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** How long the deliveries of a plan that nobody executed can be listed after its end. */
export const ENDED_PLAN_DAYS = 7;

/** Whether the lines of a signed ledger have gone: the first of them go first. */
export async function linesAreGone(
  db: Queryable,
  operationId: Id<'operation'>,
  { lines }: { lines: number },
): Promise<boolean> {
  if (lines === 0) return false;
  const { rowCount } = await db.query('select from ledger_chunks where operation_id = $1 and number = 0', [
    operationId,
  ]);
  return rowCount === 0;
}

/** Whether the pages of a plan have gone: the first of them go first. */
export async function pagesAreGone(
  db: Queryable,
  operationId: Id<'operation'>,
  { pages }: { pages: number },
): Promise<boolean> {
  if (pages === 0) return false;
  const { rowCount } = await db.query('select from plan_pages where operation_id = $1 and number = 0', [
    operationId,
  ]);
  return rowCount === 0;
}

interface OldestRow {
  operation_id: Id<'operation'>;
  signed_at: string;
}

/**
 * Removes up to `limit` chunks of the oldest ledger of a tenant that is kept for longer than its setting, and then the
 * pages of its plan; moves on when nothing of it is left. Undefined where nothing is due, or another sweeper is at it.
 */
export async function pruneLedger(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  limit: number,
): Promise<{ removed: number } | undefined> {
  await tx.query('insert into ledger_sweeps (tenant_id) values ($1) on conflict do nothing', [tenantId]);
  const { rows } = await tx.query<OldestRow>(
    `with sweep as materialized (
      select s.signed_at, s.operation_id,
        clock_timestamp() - retention_days(t.settings, 'ledger') * interval '1 day' as cutoff
      from ledger_sweeps s join tenants t on t.id = s.tenant_id where s.tenant_id = $1 for update of s skip locked
    )
    select r.operation_id, r.signed_at::text as signed_at from sweep s cross join lateral (
      select c.operation_id, c.signed_at from closure_reports c
      where c.tenant_id = $1 and (c.signed_at, c.operation_id) > (s.signed_at, s.operation_id) and c.signed_at < s.cutoff
      order by c.signed_at, c.operation_id limit 1
    ) r`,
    [tenantId],
  );
  const [oldest] = rows;
  if (!oldest) return undefined;
  const lines = await removeFirst(tx, 'ledger_chunks', oldest.operation_id, limit);
  const pages = lines < limit ? await removePages(tx, oldest.operation_id, limit - lines) : 0;
  const removed = lines + pages;
  if (removed < limit)
    await tx.query('update ledger_sweeps set signed_at = $2, operation_id = $3 where tenant_id = $1', [
      tenantId,
      oldest.signed_at,
      oldest.operation_id,
    ]);
  return { removed };
}

/** Removes up to `limit` pages of a plan that ended unexecuted a week ago; undefined where there is none. */
export async function pruneEndedPlan(
  tx: Transaction,
  limit: number,
): Promise<{ removed: number } | undefined> {
  const { rows } = await tx.query<{ operation_id: Id<'operation'> }>(
    `select p.operation_id from plans p join operations o on o.id = p.operation_id
     where p.executed_at is null and p.pages_gone_at is null
       and o.closed_at < clock_timestamp() - ${ENDED_PLAN_DAYS} * interval '1 day'
     order by p.operation_id limit 1 for update of p skip locked`,
  );
  return rows[0] && { removed: await removePages(tx, rows[0].operation_id, limit) };
}

async function removePages(tx: Transaction, operationId: Id<'operation'>, limit: number): Promise<number> {
  const removed = await removeFirst(tx, 'plan_pages', operationId, limit);
  if (removed < limit)
    await tx.query(
      `update plans set pages_gone_at = coalesce(pages_gone_at, clock_timestamp()) where operation_id = $1`,
      [operationId],
    );
  return removed;
}

/** Removes the first `limit` chunks of a ledger, or pages of a plan; returns how many there were. */
export async function removeFirst(
  tx: Transaction,
  table: 'ledger_chunks' | 'plan_pages',
  operationId: Id<'operation'>,
  limit: number,
): Promise<number> {
  const { rowCount } = await tx.query(
    `delete from ${table} where operation_id = $1
       and number in (select number from ${table} where operation_id = $1 order by number limit $2)`,
    [operationId, limit],
  );
  return rowCount ?? 0;
}

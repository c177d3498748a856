import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { removeFirst } from '../proof/ledger-retention.ts';

/** Tables that have rows of an operation, each before those that it refers to. */
const OF_AN_OPERATION = [
  ...['report_addenda', 'closure_reports', 'ledger_chunks', 'report_drafts', 'frozen_items', 'late_changes'],
  ...['plan_pages', 'plan_endpoints', 'plans', 'outage_operations', 'quota_charges'],
  ...['operation_verdicts', 'operation_holds', 'operation_controls', 'operation_samples', 'operation_pulses'],
  ...['operation_pacing', 'operation_traces', 'operation_endpoints', 'canaries', 'operation_counts'],
  // With the answers that were kept under them, which repeat its reason.
  'idempotency_keys',
] as const;

/**
 * Removes closed operations of a tenant that are past their term, with their reports, looking at up to `limit` from where
 * the last removal stopped; behind the newest it begins again. One stays for as long as a delivery of it, a line of its
 * ledger, or an outage that is not over names it. Undefined while another process does the same.
 */
export async function removeOperations(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  limit: number,
): Promise<{ operations: number; more: boolean } | undefined> {
  await tx.query('insert into report_sweeps (tenant_id) values ($1) on conflict do nothing', [tenantId]);
  const { rows: sweeps } = await tx.query<{ operation_id: Id<'operation'>; before: string | null }>(
    `select s.operation_id, (clock_timestamp() - retention_days(t.settings, 'report') * interval '1 day')::text as before
     from report_sweeps s join tenants t on t.id = s.tenant_id where s.tenant_id = $1 for update of s skip locked`,
    [tenantId],
  );
  const [sweep] = sweeps;
  if (!sweep || sweep.before === null) return undefined;
  // Ids are in the order of time: behind the first that is too young nothing is looked for.
  const { rows: page } = await tx.query<{ id: Id<'operation'>; young: boolean }>(
    `select o.id, o.created_at >= $3::timestamptz as young from operations o
     where o.tenant_id = $1 and o.id > $2 order by o.id limit $4`,
    [tenantId, sweep.operation_id, sweep.before, limit],
  );
  const end = page.findIndex(({ young }) => young);
  const next = end < 0 ? page : page.slice(0, end);
  const { rows: due } = await tx.query<{ id: Id<'operation'> }>(
    `select o.id from operations o where o.id = any($1::uuid[]) and o.closed_at < $2::timestamptz
       and not exists (select from execution_records e where e.operation_id = o.id)
       and not exists (select from exclusions x where x.operation_id = o.id)
       and not exists (select from receipt_replays r where r.tenant_id = o.tenant_id and r.operation_id = o.id)
       and not exists (select from late_changes l where l.operation_id = o.id)
       and not exists (select from outage_operations x join outages u on u.id = x.outage_id
         where x.operation_id = o.id and u.state in ('open', 'recovered'))
     order by o.id for update of o skip locked`,
    [next.map(({ id }) => id), sweep.before],
  );
  const { ids, stoppedAt } = await withoutLines(
    tx,
    due.map(({ id }) => id),
  );
  for (const table of OF_AN_OPERATION)
    await tx.query(`delete from ${table} where operation_id = any($1::uuid[])`, [ids]);
  await tx.query('delete from operations where id = any($1::uuid[])', [ids]);
  const behindNewest = next.length < limit;
  const place =
    stoppedAt === undefined
      ? behindNewest
        ? undefined
        : next.at(-1)?.id
      : (next.findLast(({ id }) => id < stoppedAt)?.id ?? sweep.operation_id);
  await tx.query('update report_sweeps set operation_id = $2 where tenant_id = $1', [
    tenantId,
    place ?? BEGINNING,
  ]);
  return { operations: ids.length, more: stoppedAt !== undefined || !behindNewest };
}

/** Chunks of lines, and pages of plans, that go in one transaction. */
const MOST_CHUNKS = 200;
const BEGINNING = '00000000-0000-0000-0000-000000000000';

/**
 * Removes the lines and the plans of operations that are to go, as far as that is not too much for one transaction: the
 * operations that have none left, and the one at which it stopped.
 */
async function withoutLines(
  tx: Transaction,
  due: Id<'operation'>[],
): Promise<{ ids: Id<'operation'>[]; stoppedAt?: Id<'operation'> }> {
  const ids: Id<'operation'>[] = [];
  let left = MOST_CHUNKS;
  for (const id of due) {
    for (const table of ['ledger_chunks', 'plan_pages'] as const)
      left -= left > 0 ? await removeFirst(tx, table, id, left) : 0;
    if (left === 0) return { ids, stoppedAt: id };
    ids.push(id);
  }
  return { ids };
}

/**
 * Removes up to `limit` records of refused requests of a tenant that are past the term of receipts, with the diagnostics of
 * them; returns how many went.
 */
export async function removeRejections(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  limit: number,
): Promise<number> {
  const { rows: terms } = await tx.query<{ before: string | null }>(
    `select (clock_timestamp() - retention_days(settings, 'receipt') * interval '1 day')::text as before
     from tenants where id = $1`,
    [tenantId],
  );
  const before = terms[0]?.before ?? null;
  if (before === null) return 0;
  // The moment is a parameter, so that the index ends there: read with the row of the tenant, it would be asked of each.
  const { rows } = await tx.query<{ id: string }>(
    `delete from rejections where id in (
       select r.id from rejections r where r.tenant_id = $1 and r.rejected_at < $2::timestamptz
       order by r.rejected_at, r.id limit $3 for update skip locked)
     returning id`,
    [tenantId, before, limit],
  );
  if (rows.length > 0)
    await tx.query('delete from receipt_diagnostics where tenant_id = $1 and receipt_id = any($2::uuid[])', [
      tenantId,
      rows.map(({ id }) => id),
    ]);
  return rows.length;
}

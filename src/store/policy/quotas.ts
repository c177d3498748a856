import { type Asked, exceededQuotas, type QuotaExceeded, type Quotas } from '../../domain/policy/quotas.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** An operation that is to be charged to a tenant, and the limits for it. */
export interface QuotaCharge extends Asked {
  tenantId: Id<'tenant'>;
  operationId: Id<'operation'>;
  /** Above these it needs an approval. */
  quotas: Quotas;
  /** Above these nobody can approve it. */
  ceilings?: Quotas;
  /** It was approved: it is charged, whatever it exceeds. */
  approved?: boolean;
}

/** Whether an operation was charged, or has been before; and what it exceeds of the quotas, and of the ceilings. */
export interface Charged {
  charged: boolean;
  exceeded: QuotaExceeded[];
  beyond: QuotaExceeded[];
}

/**
 * Charges an operation to its tenant, once: to the day of this moment, in UTC, by the database's clock. Where it would
 * exceed a quota and was not approved, or a ceiling, nothing is charged. The tenant's row of the day is locked until the
 * transaction ends, so that of several at once each sees those before it. Where an operation spans tenants, each is
 * charged with its own items, in the order of their ids.
 */
export async function chargeQuotas(
  tx: Transaction,
  { tenantId, operationId, items, ratePerSecond, quotas, ceilings = {}, approved = false }: QuotaCharge,
): Promise<Charged> {
  const day = onlyRow(
    await tx.query<{ day: string; items: number }>(
      `insert into quota_days as q (tenant_id, day) values ($1, (clock_timestamp() at time zone 'UTC')::date)
       on conflict (tenant_id, day) do update set items = q.items returning day::text, items`,
      [tenantId],
    ),
  );
  // Statements of their own, so that they see what those have written who held the row before.
  const before = await tx.query('select from quota_charges where operation_id = $1 and tenant_id = $2', [
    operationId,
    tenantId,
  ]);
  if (before.rowCount === 1) return { charged: true, exceeded: [], beyond: [] };
  const asked = { items, ...(ratePerSecond === undefined ? {} : { ratePerSecond }) };
  const used = { items: day.items, openOperations: await countOpen(tx, tenantId, operationId) };
  const exceeded = exceededQuotas(quotas, asked, used);
  const beyond = exceededQuotas(ceilings, asked, used);
  if (beyond.length > 0 || (exceeded.length > 0 && !approved)) return { charged: false, exceeded, beyond };
  await tx.query('update quota_days set items = items + $3 where tenant_id = $1 and day = $2', [
    tenantId,
    day.day,
    items,
  ]);
  await tx.query(
    'insert into quota_charges (operation_id, tenant_id, day, items, approved) values ($1, $2, $3, $4, $5)',
    [operationId, tenantId, day.day, items, exceeded.length > 0],
  );
  return { charged: true, exceeded, beyond };
}

/** Gives back to its day what an operation was charged; nothing where that was done before. */
export async function giveBackQuotas(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `with given as (
      update quota_charges set given_back_at = clock_timestamp()
      where operation_id = $1 and given_back_at is null returning tenant_id, day, items
    )
    update quota_days q set items = q.items - g.items from given g where q.tenant_id = g.tenant_id and q.day = g.day`,
    [operationId],
  );
}

/** The other open operations of a tenant, those that span it among them; neither single retries nor what only waits. */
async function countOpen(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<number> {
  const { open } = onlyRow(
    await db.query<{ open: number }>(
      `select count(*)::int as open from operations o
       where o.closed_at is null and o.id <> $2 and not o.single and o.state not in ('planned', 'awaiting_approval')
         and (o.tenant_id = $1
           or exists (select from quota_charges c where c.operation_id = o.id and c.tenant_id = $1))`,
      [tenantId, operationId],
    ),
  );
  return open;
}

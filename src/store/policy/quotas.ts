import {
  type Asked,
  exceededQuotas,
  type QuotaExceeded,
  type Quotas,
  type Used,
} from '../../domain/policy/quotas.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { platformLimits } from './platform-limits.ts';

const TODAY = `(clock_timestamp() at time zone 'UTC')::date`;

/**
 * What the other operations of the tenant $1 have taken, on a day ($3) or today: those that span it are among them, single
 * retries and what only waits are not.
 */
const USED = `select
  coalesce((select q.items from quota_days q where q.tenant_id = $1 and q.day = coalesce($3, ${TODAY})), 0)::float8 as items,
  (select count(*)::int from operations o
    where o.closed_at is null and o.id <> $2 and not o.single and o.state not in ('planned', 'awaiting_approval')
      and (o.tenant_id = $1
        or exists (select from quota_charges c where c.operation_id = o.id and c.tenant_id = $1))) as "openOperations"`;

/** An operation that is to be charged to a tenant, and the quotas of that tenant. */
export interface QuotaCharge extends Asked {
  tenantId: Id<'tenant'>;
  operationId: Id<'operation'>;
  /** Above these it needs an approval. */
  quotas: Quotas;
}

/** What an operation exceeds: of the quotas, and of the ceilings of the installation, above which nobody can approve it. */
export interface OverQuota {
  exceeded: QuotaExceeded[];
  beyond: QuotaExceeded[];
}

/** What an operation would exceed now, where it was not charged; nothing is charged, and nothing kept from changing. */
export async function lookAtQuotas(
  db: Queryable,
  { tenantId, operationId, items, ratePerSecond, quotas }: QuotaCharge,
  day?: string,
): Promise<OverQuota> {
  const used = onlyRow(await db.query<Used>(USED, [tenantId, operationId, day ?? null]));
  const asked = { items, ...(ratePerSecond === undefined ? {} : { ratePerSecond }) };
  return {
    exceeded: exceededQuotas(quotas, asked, used),
    beyond: exceededQuotas(await platformLimits(db), asked, used),
  };
}

/**
 * Charges an operation to its tenant, once: to the day of this moment, in UTC, by the database's clock. Where it would
 * exceed a quota and was not `approved`, or a ceiling, nothing is charged. The tenant's row of the day is locked until the
 * transaction ends, so that of several at once each sees those before it. Where an operation spans tenants, each is
 * charged with its own items, in the order of their ids.
 */
export async function chargeQuotas(
  tx: Transaction,
  charge: QuotaCharge & { approved?: boolean },
): Promise<OverQuota & { charged: boolean }> {
  const { tenantId, operationId, items, approved = false } = charge;
  const day = await lockDay(tx, tenantId);
  // Statements of their own, so that they see what those have written who held the row before.
  const before = await tx.query('select from quota_charges where operation_id = $1 and tenant_id = $2', [
    operationId,
    tenantId,
  ]);
  if (before.rowCount === 1) return { charged: true, exceeded: [], beyond: [] };
  const over = await lookAtQuotas(tx, charge, day);
  if (over.beyond.length > 0 || (over.exceeded.length > 0 && !approved)) return { charged: false, ...over };
  await chargeDay(tx, tenantId, day, items);
  await tx.query(
    'insert into quota_charges (operation_id, tenant_id, day, items, approved) values ($1, $2, $3, $4, $5)',
    [operationId, tenantId, day, items, over.exceeded.length > 0],
  );
  return { charged: true, ...over };
}

/** Locks what a tenant has asked for today until the transaction ends; returns the day. */
export async function lockDay(tx: Transaction, tenantId: Id<'tenant'>): Promise<string> {
  const { day } = onlyRow(
    await tx.query<{ day: string }>(
      `insert into quota_days as q (tenant_id, day) values ($1, ${TODAY})
       on conflict (tenant_id, day) do update set items = q.items returning day::text`,
      [tenantId],
    ),
  );
  return day;
}

/** Adds deliveries to what a tenant has asked for on a day that is locked. */
export async function chargeDay(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  day: string,
  items: number,
): Promise<void> {
  await tx.query('update quota_days set items = items + $3 where tenant_id = $1 and day = $2', [
    tenantId,
    day,
    items,
  ]);
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

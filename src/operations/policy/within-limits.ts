import type { Operation } from '../../domain/operations/operation.ts';
import { isSingle } from '../../domain/operations/selection.ts';
import { exceededQuotas, type QuotaExceeded } from '../../domain/policy/quotas.ts';
import { present } from '../../domain/present.ts';
import type { Queryable, Transaction } from '../../store/db/queryable.ts';
import { platformLimits } from '../../store/policy/platform-limits.ts';
import { chargeQuotas, lockDay, lookAtQuotas } from '../../store/policy/quotas.ts';

/** An operation, as far as the ceilings of the installation ask about it. */
type Limited = Pick<Operation, 'id' | 'tenantId' | 'selection' | 'options'>;

/**
 * The ceilings of the installation that an operation is above; where there are none, and it is known how many items it
 * has, it is charged to its tenant. Nothing is looked at for a single retry, nor where no ceiling is set. Its transaction
 * accepts it, or lets a plan of it run, and takes that back where a ceiling is exceeded.
 */
export async function beyondLimits(
  tx: Transaction,
  { id: operationId, tenantId, selection, options }: Limited,
  items?: number,
): Promise<QuotaExceeded[]> {
  if (isSingle(selection) || Object.keys(await platformLimits(tx)).length === 0) return [];
  const asked = { tenantId, operationId, quotas: {}, ...present({ ratePerSecond: options.ratePerSecond }) };
  if (items !== undefined) return (await chargeQuotas(tx, { ...asked, items })).beyond;
  await lockDay(tx, tenantId);
  return (await lookAtQuotas(tx, { ...asked, items: 0 })).beyond;
}

/** The ceiling of the installation that a rate is above, to which an operation is to be set; null is any rate. */
export async function rateBeyondLimits(
  db: Queryable,
  { selection }: Pick<Operation, 'selection'>,
  ratePerSecond: number | null,
): Promise<QuotaExceeded[]> {
  if (isSingle(selection)) return [];
  const limits = await platformLimits(db);
  return exceededQuotas(
    present({ ratePerSecond: limits.ratePerSecond }),
    { items: 0, ...present({ ratePerSecond }) },
    { items: 0, openOperations: 0 },
  );
}

import type { ExecutionState } from '../domain/sending/execution-state.ts';
import { withTransaction } from '../store/db/pool.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { deliveryExists, resolveUnknown } from '../store/settling/resolutions.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** What the unknown execution became, or why nothing was done. */
export type ResolveResult =
  | { ok: true; executionId: string; state: ExecutionState }
  | { ok: false; code: 'not_found' | 'not_unknown' };

/** Settles an unknown delivery by an operator's word: it arrived, it did not, or it is to be sent again. */
export async function resolveDelivery(
  deps: RecoveryDeps,
  tenantId: string,
  deliveryId: string,
  outcome: 'delivered' | 'failed' | 'retry',
): Promise<ResolveResult> {
  const resolved = await withTransaction(deps.pool, (db) =>
    resolveUnknown(db, tenantId, deliveryId, outcome),
  );
  if (resolved) {
    const moved = outcome !== 'retry' && (await dueNext(deps.pool, [deliveryId]));
    if (outcome === 'retry' || moved) deps.pokeLiveLane();
    return { ok: true, ...resolved };
  }
  return {
    ok: false,
    code: (await deliveryExists(deps.pool, tenantId, deliveryId)) ? 'not_unknown' : 'not_found',
  };
}

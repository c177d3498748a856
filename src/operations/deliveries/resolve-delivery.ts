import type { ActBy } from '../../domain/audit/audit-action.ts';
import { exclusionOf, type RetryRequest, retryFate } from '../../domain/operations/retry-fate.ts';
import type { ExclusionReason } from '../../domain/operations/selection.ts';
import type { AtOnceRefusal } from '../../domain/policy/at-once.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { ITSELF } from '../../store/operations/operation-controls.ts';
import { dueNext } from '../../store/sending/ordering.ts';
import { noteResolution, type ResolutionOutcome, unknownOf } from '../../store/settling/resolution-acts.ts';
import { deliveryExists, holdUnknown, resolveUnknown } from '../../store/settling/resolutions.ts';
import { logAct } from '../../telemetry/act-log.ts';
import { judgeAtOnce } from '../policy/judge-at-once.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';

/** The new state of the unknown execution, or why nothing was done. */
export type ResolveResult =
  | { ok: true; executionId: Id<'execution'>; state: ExecutionState }
  | { ok: false; code: 'not_found' | 'not_unknown' }
  /** It was to be sent again, and nothing can be sent: it stays unknown. */
  | { ok: false; code: 'not_sendable'; reason: ExclusionReason; endpointId: Id<'endpoint'> }
  /** It was to be sent again, and that has to wait: it stays unknown. */
  | { ok: false; code: 'not_at_once'; refusal: AtOnceRefusal };

/** The delivery is sent again whatever became of it: only its endpoint and its payload can be in the way. */
const AGAIN: RetryRequest = {
  kind: 'replay',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: false,
};

/** Settles an unknown delivery by an operator's word: it arrived, it did not, or it is to be sent again. */
export async function resolveDelivery(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
  outcome: ResolutionOutcome,
  { reason, ...by }: ActBy & { reason?: string | undefined } = { actor: ITSELF },
): Promise<ResolveResult> {
  const resolved = await withTransaction(deps.pool, async (db): Promise<ResolveResult | undefined> => {
    const refused = outcome === 'retry' && (await obstacleTo(db, tenantId, deliveryId, reason));
    if (refused) return refused;
    const settled = await resolveUnknown(db, tenantId, deliveryId, outcome);
    if (!settled) return undefined;
    const { executionId } = settled;
    await noteResolution(db, { tenantId, deliveryId, executionId, outcome, actor: by.actor, reason });
    await noteAct(db, {
      tenantId,
      by,
      action: 'delivery.resolved',
      target: deliveryId,
      detail: { outcome, executionId: showId('execution', executionId) },
      words: { reason },
    });
    return { ok: true as const, ...settled };
  });
  if (resolved && !resolved.ok) return resolved;
  if (resolved) {
    logAct(deps.log, 'delivery.resolved', by, {
      tenantId: showId('tenant', tenantId),
      deliveryId: showId('delivery', deliveryId),
      outcome,
    });
    const moved = outcome !== 'retry' && (await dueNext(deps.pool, [deliveryId]));
    if (outcome === 'retry' || moved) deps.pokeLiveLane();
    return resolved;
  }
  return {
    ok: false,
    code: (await deliveryExists(deps.pool, tenantId, deliveryId)) ? 'not_unknown' : 'not_found',
  };
}

/** Why an unknown delivery cannot be sent again; undefined where it can, or is not unknown. */
async function obstacleTo(
  db: Transaction,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
  why: string | undefined,
): Promise<Extract<ResolveResult, { code: 'not_sendable' | 'not_at_once' }> | undefined> {
  const held = await holdUnknown(db, tenantId, deliveryId);
  if (!held) return undefined;
  const { endpointId, endpoint, payloadKept } = held;
  const facts = { delivery: 'unknown', endpoint, payloadKept, suppressedDuplicate: false } as const;
  const reason = exclusionOf(retryFate(facts, AGAIN), AGAIN);
  if (reason) return { ok: false, code: 'not_sendable', reason, endpointId };
  const deliveryIds = [deliveryId];
  const refusal = await judgeAtOnce(db, {
    tenantId,
    deliveries: (p) => unknownOf(tenantId, { deliveryIds }, p),
    single: true,
    reason: why,
  });
  return refusal && { ok: false, code: 'not_at_once', refusal };
}

import type { ActBy } from '../../../domain/audit/audit-action.ts';
import type { AcceptedItem } from '../../../domain/operations/accepted-item.ts';
import type { Selection } from '../../../domain/operations/selection.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../../operations/accept-operation.ts';
import type { RecoveryDeps } from '../../../operations/recovery-deps.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import type { Transaction } from '../../../store/db/queryable.ts';
import { noteResolution } from '../../../store/settling/resolution-acts.ts';
import { resolveUnknown } from '../../../store/settling/resolutions.ts';
import type { ReplayRefusal } from '../domain/replay-refusal.ts';
import {
  findReplay,
  lockReplay,
  lockReplayUsage,
  markExecuted,
  type ReceiptReplay,
} from '../store/receipt-replays.ts';
import { holdTargets } from '../store/replay-material.ts';
import {
  type ReplayCaller,
  type ReplayResult,
  refuse,
  staleness,
  wrongCall,
} from './receipt-replay-checks.ts';

/**
 * Executes a confirmed replay as one operation, once: everything that it is bound to is looked at again in the
 * transaction that accepts the operation, and held until that ends.
 */
export async function executeReceiptReplay(
  deps: RecoveryDeps,
  by: ReplayCaller,
  replayId: Id<'receiptReplay'>,
): Promise<ReplayResult> {
  const { tenant, caller } = by;
  const found = await findReplay(deps.pool, tenant.id, replayId);
  const failure = await wrongCall(deps.pool, found, by);
  if (failure || !found) return failure ?? { ok: false, code: 'not_found' };
  if (found.state !== 'executed') {
    const accepted = await acceptOperation<ReplayRefusal | 'executed_meanwhile'>(deps, {
      tenant,
      surface: 'flowrelay',
      ...operationOf(found),
      caller,
      before: async (db) => {
        const replay = await lockReplay(db, tenant.id, replayId);
        if (replay?.state === 'executed') return 'executed_meanwhile';
        return replay && beforeExecution(db, tenant.id, replay, caller);
      },
      after: async (db, { operationId, items }) => {
        if (!sendsEach(found, items))
          return {
            reason: items.some((item) => item.became === 'excluded' && item.reason === 'payload_expired')
              ? 'payload_gone'
              : 'nothing_to_send',
            freshPreview: true,
          };
        if (!(await markExecuted(db, tenant.id, replayId, operationId)))
          throw new Error('a replay that is held was changed by somebody else');
        await noteAct(db, {
          tenantId: tenant.id,
          by: caller,
          action: 'receipt_replay.executed',
          target: replayId,
          detail: { operationId: showId('operation', operationId) },
        });
        return undefined;
      },
      render: ({ operation }) => ({ operationId: operation.id }),
    });
    if (!accepted.ok && accepted.code === 'refused' && accepted.refusal !== 'executed_meanwhile')
      return refuse(accepted.refusal);
    if (!accepted.ok && accepted.code === 'quota_exceeded') return refuse({ reason: 'quota_exceeded' });
    if (!accepted.ok && accepted.code !== 'refused') return refuse({ reason: 'nothing_to_send' });
  }
  const replay = await findReplay(deps.pool, tenant.id, replayId);
  if (!replay) throw new Error('a replay that was executed is not there');
  return { ok: true, replay, repeated: found.state === 'executed' };
}

/** A handoff is replayed; where there was none yet, or only one that nothing was ready for, it is a first delivery. */
function operationOf(replay: ReceiptReplay): {
  kind: 'retry' | 'replay';
  target: 'current';
  selection: Selection;
  options: { matchFilter?: boolean; includeResent?: boolean };
  reason: string;
} {
  const reason = 'replay of a receipt';
  if (replay.kind === 'handoff')
    return {
      kind: 'replay',
      target: 'current',
      selection: { deliveryIds: replay.targets.flatMap(({ deliveryId }) => deliveryId ?? []) },
      // It is executed only where the risk was confirmed.
      options: { matchFilter: true, ...(replay.duplicateRisk ? { includeResent: true } : {}) },
      reason,
    };
  const endpointIds = replay.targets.map(({ endpointId }) => endpointId);
  return {
    kind: 'retry',
    target: 'current',
    selection: { afresh: { eventIds: [replay.eventId] }, endpoints: { ids: endpointIds } },
    options: {},
    reason,
  };
}

async function beforeExecution(
  db: Transaction,
  tenantId: Id<'tenant'>,
  replay: ReceiptReplay,
  by: ActBy,
): Promise<ReplayRefusal | undefined> {
  await holdTargets(db, tenantId, {
    eventId: replay.eventId,
    endpointIds: replay.targets.map(({ endpointId }) => endpointId),
  });
  if (replay.state !== 'confirmed') return { reason: 'not_confirmed' };
  await lockReplayUsage(db, tenantId);
  const stale = await staleness(db, tenantId, replay, by.actor, { mustBeReady: true });
  if (stale) return stale;
  // The confirmation is the operator's word on an unknown outcome; nothing may refuse after this.
  for (const { deliveryId } of replay.targets) {
    if (deliveryId === undefined) continue;
    const resolved = await resolveUnknown(db, tenantId, deliveryId, 'failed');
    if (!resolved) continue;
    const { executionId } = resolved;
    const replayId = showId('receiptReplay', replay.id);
    const outcome = 'failed';
    await noteResolution(db, {
      tenantId,
      deliveryId,
      executionId,
      outcome,
      actor: by.actor,
      reason: `replay ${replayId} was confirmed`,
    });
    await noteAct(db, {
      tenantId,
      by,
      action: 'delivery.resolved',
      target: deliveryId,
      detail: { outcome, executionId: showId('execution', executionId), replayId },
    });
  }
  return undefined;
}

/** Whether the operation sends all that was confirmed and nothing else: nothing joined, taken over or left out. */
function sendsEach(replay: ReceiptReplay, items: AcceptedItem[]): boolean {
  return (
    items.length === replay.targets.length &&
    items.every(
      (item) =>
        (item.became === 'queued' || item.became === 'scheduled') && item.supersededExecutionId === undefined,
    )
  );
}

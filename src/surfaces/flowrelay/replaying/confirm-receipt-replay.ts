import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { RecoveryDeps } from '../../../operations/recovery-deps.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { confirmReplay, lockReplay } from '../store/receipt-replays.ts';
import {
  type ReplayCaller,
  type ReplayResult,
  refuse,
  staleness,
  wrongCall,
} from './receipt-replay-checks.ts';

/** Confirms a preview where all that it showed still holds and everything is ready; a repeat changes nothing. */
export async function confirmReceiptReplay(
  deps: RecoveryDeps,
  by: ReplayCaller,
  replayId: Id<'receiptReplay'>,
  { duplicateRisk }: { duplicateRisk: boolean },
): Promise<ReplayResult> {
  const { tenant, caller } = by;
  return withTransaction(deps.pool, async (db): Promise<ReplayResult> => {
    const replay = await lockReplay(db, tenant.id, replayId);
    const failure = await wrongCall(db, replay, by);
    if (failure || !replay) return failure ?? { ok: false, code: 'not_found' };
    if (replay.state === 'executed') return { ok: true, replay, repeated: true };
    const refusal = await staleness(db, tenant.id, replay, caller.actor, { mustBeReady: true });
    if (refusal) return refuse(refusal);
    if (replay.state === 'confirmed') return { ok: true, replay, repeated: true };
    if (replay.duplicateRisk && !duplicateRisk) return refuse({ reason: 'duplicate_risk_not_confirmed' });
    const confirmed = await confirmReplay(db, tenant.id, replayId, duplicateRisk);
    if (!confirmed) throw new Error('a replay that is held was changed by somebody else');
    await noteAct(db, {
      tenantId: tenant.id,
      by: caller,
      action: 'receipt_replay.confirmed',
      target: replayId,
      detail: { duplicateRiskConfirmed: duplicateRisk },
    });
    return { ok: true, replay: confirmed, repeated: false };
  });
}

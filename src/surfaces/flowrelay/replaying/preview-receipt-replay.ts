import { alias, type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import type { RecoveryDeps } from '../../../operations/recovery-deps.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { insertReplay, type ReceiptReplay, replayByKey } from '../store/receipt-replays.ts';
import { type PlannedReplay, planReceiptReplay } from './plan-receipt-replay.ts';
import {
  type ReplayCaller,
  type ReplayResult,
  refuse,
  replayKeyHash,
  staleness,
} from './receipt-replay-checks.ts';

/** A preview is looked at and confirmed at once, or made again. */
const PREVIEW_VALID_MS = 15 * 60_000;

/**
 * Previews the replay of an event: writes down, under the key, its plan and the facts that the plan is bound to. The
 * same request under the same key is answered with the same preview for as long as it is true.
 */
export async function previewReceiptReplay(
  deps: RecoveryDeps,
  { tenant, caller, key }: ReplayCaller,
  asked: { eventId: Id<'event'>; endpointId?: Id<'endpoint'> | undefined },
  render: (planned: PlannedReplay) => unknown,
): Promise<ReplayResult> {
  const keyHash = replayKeyHash(key);
  return withTransaction(deps.pool, async (db): Promise<ReplayResult> => {
    const earlier = await replayByKey(db, tenant.id, keyHash);
    if (earlier) return repeatedPreview(db, tenant.id, earlier, caller.actor, asked);
    const planned = await planReceiptReplay(db, {
      tenantId: tenant.id,
      eventId: asked.eventId,
      askedEndpointId: asked.endpointId,
      actor: caller.actor,
    });
    if (planned === undefined) return { ok: false, code: 'not_found' };
    if ('several' in planned) return { ok: false, code: 'several_targets' };
    if ('refusal' in planned) return refuse(planned.refusal);
    const replay = await insertReplay(db, tenant.id, {
      eventId: asked.eventId,
      ...(asked.endpointId === undefined ? {} : { askedEndpointId: asked.endpointId }),
      keyHash,
      actor: caller.actor,
      binding: planned.binding,
      kind: planned.plan.kind,
      targets: planned.targets,
      duplicateRisk: planned.plan.duplicateRisk !== undefined,
      preview: render(planned),
      validForMs: PREVIEW_VALID_MS,
    });
    if (replay) {
      await noteAct(db, {
        tenantId: tenant.id,
        by: caller,
        action: 'receipt_replay.previewed',
        target: replay.id,
        detail: {
          receiptId: showId('receipt', alias('receipt', asked.eventId)),
          kind: replay.kind,
          targets: replay.targets.length,
          duplicateRisk: replay.duplicateRisk,
        },
      });
      return { ok: true, replay, repeated: false };
    }
    // Somebody else used the key between the two statements.
    const raced = await replayByKey(db, tenant.id, keyHash);
    return raced
      ? repeatedPreview(db, tenant.id, raced, caller.actor, asked)
      : { ok: false, code: 'key_conflict' };
  });
}

async function repeatedPreview(
  db: Queryable,
  tenantId: Id<'tenant'>,
  replay: ReceiptReplay,
  actor: string,
  asked: { eventId: Id<'event'>; endpointId?: Id<'endpoint'> | undefined },
): Promise<ReplayResult> {
  const same =
    replay.eventId === asked.eventId && replay.askedEndpointId === asked.endpointId && replay.actor === actor;
  if (!same) return { ok: false, code: 'key_conflict' };
  if (replay.state === 'executed') return { ok: true, replay, repeated: true };
  const stale = await staleness(db, tenantId, replay, actor);
  return stale ? refuse(stale) : { ok: true, replay, repeated: true };
}

import { createHash } from 'node:crypto';
import type { ActBy } from '../../../domain/audit/audit-action.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import type { ReplayRefusal } from '../domain/replay-refusal.ts';
import { type ReceiptReplay, replayByKey } from '../store/receipt-replays.ts';
import { planReceiptReplay } from './plan-receipt-replay.ts';

/** Who replays, and under which key from the preview to the execution. */
export interface ReplayCaller {
  tenant: { id: Id<'tenant'>; handle: string };
  caller: ActBy;
  key: string;
}

/** The replay as it is now, or why it is not done. */
export type ReplayResult =
  | { ok: true; replay: ReceiptReplay; repeated: boolean }
  | { ok: false; code: 'not_found' | 'key_conflict' | 'key_unused' | 'several_targets' }
  | { ok: false; code: 'refused'; refusal: ReplayRefusal };

/** Why it is not done. */
export type ReplayFailure = Extract<ReplayResult, { ok: false }>;

/** Turns a refusal into a result. */
export const refuse = (refusal: ReplayRefusal): ReplayFailure => ({ ok: false, code: 'refused', refusal });

/** Why a replay can no longer be as it was previewed; everything that it is bound to must be as it was. */
export async function staleness(
  db: Queryable,
  tenantId: Id<'tenant'>,
  replay: ReceiptReplay,
  actor: string,
  { mustBeReady = false }: { mustBeReady?: boolean } = {},
): Promise<ReplayRefusal | undefined> {
  const planned = await planReceiptReplay(db, {
    tenantId,
    eventId: replay.eventId,
    askedEndpointId: replay.askedEndpointId,
    actor,
  });
  // A limit passes: the preview still holds.
  if (planned && 'refusal' in planned)
    return planned.refusal.reason === 'replays_per_day'
      ? planned.refusal
      : { ...planned.refusal, freshPreview: true };
  if (!planned || 'several' in planned || !planned.binding.equals(replay.binding))
    return { reason: 'changed_since_preview', freshPreview: true };
  if (replay.expired) return { reason: 'preview_expired', freshPreview: true };
  return mustBeReady && planned.plan.notReady.length > 0
    ? { reason: 'not_ready', freshPreview: true }
    : undefined;
}

/**
 * The failure of a call about this replay: it is not there, its key is another replay's or none's, or its actor
 * another.
 */
export async function wrongCall(
  db: Queryable,
  replay: ReceiptReplay | undefined,
  { tenant, caller, key }: ReplayCaller,
): Promise<ReplayFailure | undefined> {
  if (!replay) return { ok: false, code: 'not_found' };
  const keyHash = replayKeyHash(key);
  if (!replay.keyHash.equals(keyHash))
    return {
      ok: false,
      code: (await replayByKey(db, tenant.id, keyHash)) ? 'key_conflict' : 'key_unused',
    };
  return replay.actor === caller.actor ? undefined : refuse({ reason: 'actor_changed', freshPreview: true });
}

/** A key as it is kept: a client's key may say something about its customers. */
export function replayKeyHash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

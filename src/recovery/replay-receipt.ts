import { createHash } from 'node:crypto';
import type { ReplayRefusal } from '../domain/replay-refusal.ts';
import type { Selection } from '../domain/selection.ts';
import { withTransaction } from '../store/pool.ts';
import type { Queryable } from '../store/queryable.ts';
import {
  confirmReplay,
  findReplay,
  insertReplay,
  lockReplay,
  lockReplayUsage,
  markExecuted,
  type ReceiptReplay,
  type ReplayUsage,
  replayByKey,
  replayUsage,
} from '../store/receipt-replays.ts';
import { holdTargets } from '../store/replay-material.ts';
import { resolveUnknown } from '../store/resolutions.ts';
import { type AcceptedItem, acceptOperation } from './accept-operation.ts';
import { type PlannedReplay, planReceiptReplay } from './plan-receipt-replay.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** A preview is looked at and confirmed at once, or made again. */
const PREVIEW_VALID_MS = 15 * 60_000;

/** Who replays, and under which key from the preview to the execution. */
export interface ReplayCaller {
  tenant: { id: string; handle: string };
  caller: { actor: string; keyId?: string };
  key: string;
}

/** The replay as it is now, or why it is not done. */
export type ReplayResult =
  | { ok: true; replay: ReceiptReplay; repeated: boolean }
  | { ok: false; code: 'not_found' | 'key_conflict' | 'several_targets' }
  | { ok: false; code: 'refused'; refusal: ReplayRefusal };

type Failure = Extract<ReplayResult, { ok: false }>;

const refuse = (refusal: ReplayRefusal): Failure => ({ ok: false, code: 'refused', refusal });

/**
 * Previews the replay of an event: writes down, under the key, what it would do and what that is bound to. The same
 * request under the same key is answered with the same preview for as long as it is true.
 */
export async function previewReplay(
  deps: RecoveryDeps,
  { tenant, caller, key }: ReplayCaller,
  asked: { eventId: string; endpointId?: string | undefined },
  render: (planned: PlannedReplay, usage: ReplayUsage) => unknown,
): Promise<ReplayResult> {
  const keyHash = hashOf(key);
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
    const usage = await replayUsage(db, tenant.id);
    const exhausted = exhaustedBy(usage);
    if (exhausted) return refuse(exhausted);
    const replay = await insertReplay(db, tenant.id, {
      eventId: asked.eventId,
      ...(asked.endpointId === undefined ? {} : { askedEndpointId: asked.endpointId }),
      keyHash,
      actor: caller.actor,
      binding: planned.binding,
      kind: planned.plan.kind,
      targets: planned.targets,
      duplicateRisk: planned.plan.duplicateRisk,
      preview: render(planned, usage),
      validForMs: PREVIEW_VALID_MS,
    });
    if (replay) return { ok: true, replay, repeated: false };
    // Somebody else used the key between the two statements.
    const raced = await replayByKey(db, tenant.id, keyHash);
    return raced
      ? repeatedPreview(db, tenant.id, raced, caller.actor, asked)
      : { ok: false, code: 'key_conflict' };
  });
}

async function repeatedPreview(
  db: Queryable,
  tenantId: string,
  replay: ReceiptReplay,
  actor: string,
  asked: { eventId: string; endpointId?: string | undefined },
): Promise<ReplayResult> {
  const same =
    replay.eventId === asked.eventId && replay.askedEndpointId === asked.endpointId && replay.actor === actor;
  if (!same) return { ok: false, code: 'key_conflict' };
  if (replay.state === 'executed') return { ok: true, replay, repeated: true };
  const stale = await staleness(db, tenantId, replay, actor);
  return stale ? refuse(stale) : { ok: true, replay, repeated: true };
}

/** Confirms a preview, where what it showed still holds and everything is ready; a repeat changes nothing. */
export async function confirmReceiptReplay(
  deps: RecoveryDeps,
  { tenant, caller, key }: ReplayCaller,
  replayId: string,
  { duplicateRisk }: { duplicateRisk: boolean },
): Promise<ReplayResult> {
  return withTransaction(deps.pool, async (db): Promise<ReplayResult> => {
    const replay = await lockReplay(db, tenant.id, replayId);
    const failure = wrongCall(replay, caller.actor, key);
    if (failure) return failure;
    if (replay === undefined) return { ok: false, code: 'not_found' };
    if (replay.state === 'executed') return { ok: true, replay, repeated: true };
    const refusal =
      (await staleness(db, tenant.id, replay, caller.actor, { mustBeReady: true })) ??
      exhaustedBy(await replayUsage(db, tenant.id));
    if (refusal) return refuse(refusal);
    if (replay.state === 'confirmed') return { ok: true, replay, repeated: true };
    if (replay.duplicateRisk && !duplicateRisk) return refuse({ reason: 'duplicate_risk_not_confirmed' });
    const confirmed = await confirmReplay(db, tenant.id, replayId, duplicateRisk);
    if (!confirmed) throw new Error('a replay that is held was changed by somebody else');
    return { ok: true, replay: confirmed, repeated: false };
  });
}

/**
 * Executes a confirmed replay as one operation, once: everything that it is bound to is looked at again in the
 * transaction that accepts the operation, and held until that ends.
 */
export async function executeReceiptReplay(
  deps: RecoveryDeps,
  { tenant, caller, key }: ReplayCaller,
  replayId: string,
): Promise<ReplayResult> {
  const found = await findReplay(deps.pool, tenant.id, replayId);
  const failure = wrongCall(found, caller.actor, key);
  if (failure) return failure;
  if (found === undefined) return { ok: false, code: 'not_found' };
  if (found.state !== 'executed') {
    const accepted = await acceptOperation<ReplayRefusal | 'executed_meanwhile'>(deps, {
      tenant,
      surface: 'flowrelay',
      ...operationOf(found),
      caller,
      before: async (db) => {
        const replay = await lockReplay(db, tenant.id, replayId);
        if (replay?.state === 'executed') return 'executed_meanwhile';
        return replay && beforeExecution(db, tenant.id, replay, caller.actor);
      },
      after: async (db, { operationId, items }) => {
        if (!sendsEach(found, items)) return { reason: 'nothing_to_send', freshPreview: true };
        if (!(await markExecuted(db, tenant.id, replayId, operationId)))
          throw new Error('a replay that is held was changed by somebody else');
        return undefined;
      },
      render: ({ operation }) => ({ operationId: operation.id }),
    });
    if (!accepted.ok && accepted.code === 'refused' && accepted.refusal !== 'executed_meanwhile')
      return refuse(accepted.refusal);
    if (!accepted.ok && accepted.code !== 'refused') return refuse({ reason: 'nothing_to_send' });
  }
  const replay = await findReplay(deps.pool, tenant.id, replayId);
  if (!replay) throw new Error('a replay that was executed is not there');
  return { ok: true, replay, repeated: found.state === 'executed' };
}

/** A handoff is replayed; where there was none yet, or only one that nothing was ready for, it is the first delivery. */
function operationOf(replay: ReceiptReplay): {
  kind: 'retry' | 'replay';
  target: 'current';
  selection: Selection;
  options: { matchFilter?: boolean };
  reason: string;
} {
  const reason = 'replay of a receipt';
  if (replay.kind === 'handoff')
    return {
      kind: 'replay',
      target: 'current',
      selection: { deliveryIds: replay.targets.flatMap(({ deliveryId }) => deliveryId ?? []) },
      options: { matchFilter: true },
      reason,
    };
  const endpointIds = replay.targets.map(({ endpointId }) => endpointId);
  return {
    kind: 'retry',
    target: 'current',
    selection: { afresh: { eventIds: [replay.eventId], endpointIds } },
    options: {},
    reason,
  };
}

async function beforeExecution(
  db: Queryable,
  tenantId: string,
  replay: ReceiptReplay,
  actor: string,
): Promise<ReplayRefusal | undefined> {
  await holdTargets(db, tenantId, {
    eventId: replay.eventId,
    endpointIds: replay.targets.map(({ endpointId }) => endpointId),
  });
  if (replay.state !== 'confirmed') return { reason: 'not_confirmed' };
  const stale = await staleness(db, tenantId, replay, actor, { mustBeReady: true });
  if (stale) return stale;
  await lockReplayUsage(db, tenantId);
  const exhausted = exhaustedBy(await replayUsage(db, tenantId));
  if (exhausted) return exhausted;
  // The confirmation is the operator's word on what is unknown; nothing may refuse after this.
  for (const { deliveryId } of replay.targets)
    if (deliveryId !== undefined) await resolveUnknown(db, tenantId, deliveryId, 'failed');
  return undefined;
}

/** Whether the operation sends what was confirmed and nothing else: nothing joined, taken over or left out. */
function sendsEach(replay: ReceiptReplay, items: AcceptedItem[]): boolean {
  return (
    items.length === replay.targets.length &&
    items.every((item) => item.became !== 'excluded' && item.supersededExecutionId === undefined)
  );
}

/** Why a replay can no longer be what was previewed; what it is bound to must be as it was. */
async function staleness(
  db: Queryable,
  tenantId: string,
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
  if (planned && 'refusal' in planned) return { ...planned.refusal, freshPreview: true };
  if (!planned || 'several' in planned || !planned.binding.equals(replay.binding))
    return { reason: 'changed_since_preview', freshPreview: true };
  if (replay.expired) return { reason: 'preview_expired', freshPreview: true };
  return mustBeReady && planned.plan.notReady.length > 0
    ? { reason: 'not_ready', freshPreview: true }
    : undefined;
}

function wrongCall(replay: ReceiptReplay | undefined, actor: string, key: string): Failure | undefined {
  if (!replay) return { ok: false, code: 'not_found' };
  if (!replay.keyHash.equals(hashOf(key))) return { ok: false, code: 'key_conflict' };
  return replay.actor === actor ? undefined : refuse({ reason: 'actor_changed', freshPreview: true });
}

function exhaustedBy({ executed, limit, freeInMs }: ReplayUsage): ReplayRefusal | undefined {
  if (limit === undefined || executed < limit) return undefined;
  return {
    reason: 'replays_per_day',
    retryAfterSeconds: Math.max(1, Math.ceil((freeInMs ?? 24 * 3_600_000) / 1_000)),
  };
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

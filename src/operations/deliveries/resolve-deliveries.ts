import { createHash } from 'node:crypto';
import type { ActBy } from '../../domain/audit/audit-action.ts';
import { isSingle, type Resolvable } from '../../domain/operations/selection.ts';
import type { AtOnceRefusal } from '../../domain/policy/at-once.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { type UnknownInFilter, unknownIds, unknownInFilter } from '../../store/selection/known-ids.ts';
import { dueNext } from '../../store/sending/ordering.ts';
import {
  beginResolution,
  countResolved,
  endResolution,
  type ResolutionOutcome,
  resolveSelected,
  unknownOf,
} from '../../store/settling/resolution-acts.ts';
import { logAct } from '../../telemetry/act-log.ts';
import { judgeAtOnce, RefusedAtOnce } from '../policy/judge-at-once.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';

/** Deliveries that are settled in one transaction: others wait for them for some tens of milliseconds. */
const BATCH = 500;
/** The most deliveries that one call settles: an answer must not take minutes. */
const MOST = 10_000;

/** The request of an operator. */
export interface ResolveRequest {
  tenantId: Id<'tenant'>;
  selection: Resolvable;
  outcome: ResolutionOutcome;
  reason: string;
  by: ActBy;
  /** `scope` and `fingerprint` as for an operation. */
  idempotency?: { scope: string; key: string; fingerprint: Buffer; keep: { ms: number } };
  /** Renders the answer; it is stored as JSON and given alike, now and to every repeat. */
  render(done: ResolvedDeliveries): unknown;
}

/** The result: how many deliveries were settled, and how. */
export interface ResolvedDeliveries {
  id: Id<'resolution'>;
  outcome: ResolutionOutcome;
  resolved: number;
  /** Of deliveries that were named: those whose outcome was not unknown. */
  notUnknown: number;
  /** Of those that were to be sent again: those of which nothing can be sent, and which stay unknown. */
  notSendable: number;
  /** The filter selects more than one call settles. */
  more: boolean;
}

/** The answer, as it was stored where there is a key, or why nothing was done. */
export type ResolveAllResult =
  | { ok: true; body: string; replayed: boolean }
  | { ok: false; code: 'idempotency_key_reused' }
  /** They were to be sent again, and that has to wait: they all stay unknown. */
  | { ok: false; code: 'not_at_once'; refusal: AtOnceRefusal }
  | { ok: false; code: 'unknown_ids'; ids: string[] }
  | { ok: false; code: 'unknown_in_filter'; unknown: UnknownInFilter[] };

/**
 * Settles many unknown deliveries by an operator's word, in batches, each of which is committed by itself. A call that
 * was begun under a key and broken off goes on when the request is repeated, and is counted as one. What is to be sent again
 * is judged when it begins, whole: like an operation of it, which could wait.
 */
export async function resolveDeliveries(
  deps: RecoveryDeps,
  { tenantId, selection, outcome, reason, by, idempotency, render }: ResolveRequest,
): Promise<ResolveAllResult> {
  const begun = await withTransaction(deps.pool, async (db) => {
    const unknown = await unknownIds(db, tenantId, selection);
    if (unknown.length > 0) return { unknown };
    const unknownMembers = 'filter' in selection ? await unknownInFilter(db, tenantId, selection.filter) : [];
    if (unknownMembers.length > 0) return { unknownMembers };
    const act = await beginResolution(
      db,
      { tenantId, selection, outcome, reason, actor: by.actor },
      idempotency && {
        hash: createHash('sha256').update(`${idempotency.scope}\n${idempotency.key}`).digest(),
        fingerprint: idempotency.fingerprint,
        keepMs: idempotency.keep.ms,
      },
    );
    if (!act || act.repeated) return { act };
    const refusal =
      outcome === 'retry' &&
      (await judgeAtOnce(db, {
        tenantId,
        deliveries: (p) => unknownOf(tenantId, selection, p),
        single: isSingle(selection),
        most: MOST,
        reason,
      }));
    if (refusal) throw new RefusedAtOnce(refusal);
    await noteAct(db, {
      tenantId,
      by,
      action: 'resolution.begun',
      target: act.id,
      detail: { outcome, select: Object.keys(selection)[0] },
      words: { reason },
    });
    return { act };
  }).catch((error: unknown) => {
    if (error instanceof RefusedAtOnce) return { refusal: error.refusal };
    throw error;
  });
  if ('refusal' in begun) return { ok: false, code: 'not_at_once', refusal: begun.refusal };
  if (begun.unknown) return { ok: false, code: 'unknown_ids', ids: begun.unknown };
  if (begun.unknownMembers) return { ok: false, code: 'unknown_in_filter', unknown: begun.unknownMembers };
  const { act } = begun;
  if (!act) return { ok: false, code: 'idempotency_key_reused' };
  if (act.answer !== undefined) return { ok: true, body: act.answer, replayed: true };

  let more = true;
  for (let batches = 0; more && batches < MOST / BATCH; batches++) {
    const { deliveryIds, looked } = await withTransaction(deps.pool, (db) => resolveSelected(db, act, BATCH));
    more = looked === BATCH;
    const moved = outcome !== 'retry' && (await dueNext(deps.pool, deliveryIds));
    if (deliveryIds.length > 0 && (outcome === 'retry' || moved)) deps.pokeLiveLane();
  }
  const counts = await countResolved(deps.pool, act);
  const answer = JSON.stringify(render({ id: act.id, outcome, ...counts, more }));
  const ended = await withTransaction(deps.pool, async (db) => {
    const end = await endResolution(db, act.id, answer);
    if (end.first)
      await noteAct(db, {
        tenantId,
        by,
        action: 'deliveries.resolved',
        target: act.id,
        detail: { outcome, ...counts, more },
      });
    return end;
  });
  logAct(deps.log, 'deliveries.resolved', by, {
    resolutionId: showId('resolution', act.id),
    tenantId: showId('tenant', tenantId),
    outcome,
    ...counts,
    more,
  });
  return { ok: true, body: ended.answer, replayed: false };
}

import type { ActBy } from '../domain/audit/audit-action.ts';
import type { AuditDetail } from '../domain/audit/audit-entry.ts';
import type { Operation } from '../domain/operations/operation.ts';
import { isExplicit, namesIds } from '../domain/operations/selection.ts';
import type { QuotaExceeded } from '../domain/policy/quotas.ts';
import { present } from '../domain/present.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { loadPlan } from '../store/plans/plans.ts';
import { keepFromRemoval } from '../store/retention/removal-gate.ts';
import { unknownIds } from '../store/selection/known-ids.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import type { AcceptRequest } from './accepting/accept-request.ts';
import { answerExpiresAt, holdKey, keepAnswer } from './accepting/held-key.ts';
import { isSmall, writeOperation } from './accepting/write-operation.ts';
import { logAccepted } from './operation-log.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** The answer, as it was stored where there is a key, or why nothing was done. */
export type AcceptResult<Refusal = never> =
  | { ok: true; body: string; replayed: boolean; operationId: Id<'operation'> }
  | { ok: false; code: 'refused'; refusal: Refusal }
  | { ok: false; code: 'idempotency_key_reused' }
  /** It is above ceilings of the installation. */
  | { ok: false; code: 'quota_exceeded'; beyond: QuotaExceeded[] }
  | { ok: false; code: 'unknown_ids'; ids: string[] };

/**
 * Accepts one operation: idempotency record, operation and, for an explicit list, its items are committed together;
 * only then is the workflow started, and if Temporal does not answer the operation is accepted all the same.
 */
export async function acceptOperation<Refusal = never>(
  deps: RecoveryDeps,
  request: AcceptRequest<Refusal>,
): Promise<AcceptResult<Refusal>> {
  const accepted = await withTransaction(deps.pool, (db) => acceptWithin(db, request), {
    // A person may wait for it, and planning takes longer than what it does.
    lookUps: isSmall(request.selection),
  }).catch((error: unknown) => {
    if (error instanceof TakenBack) return error.result as Refused<Refusal>;
    throw error;
  });
  if (!accepted.ok) return accepted;
  if (accepted.operation)
    await beginAccepted(deps, accepted.operation, request.caller, { planned: request.plan !== undefined });
  return {
    ok: true,
    body: accepted.body,
    replayed: accepted.operation === undefined,
    operationId: accepted.operationId,
  };
}

/** Begins an operation whose acceptance is committed; where Temporal is away, the sweeper does it later. */
export async function beginAccepted(
  deps: RecoveryDeps,
  operation: Operation,
  caller: ActBy,
  { planned }: { planned: boolean },
): Promise<void> {
  crashPoint('accepted');
  logAccepted(deps.log, operation, caller, { planned });
  if (operation.interactive) deps.pokeLiveLane();
  await deps.startOperation(operation);
}

/** Carries a refusal out of the transaction, which only an exception rolls back. */
class TakenBack extends Error {
  readonly result: Refused<unknown>;

  constructor(result: Refused<unknown>) {
    super('the operation was taken back');
    this.result = result;
  }
}

type Refused<Refusal> = Extract<AcceptResult<Refusal>, { ok: false }>;

type Accepted<Refusal> =
  | { ok: true; body: string; operationId: Id<'operation'>; operation?: Operation }
  | Refused<Refusal>;

/**
 * Accepts an operation in the transaction of something else that happens with it; {@link beginAccepted} follows once that
 * is committed.
 */
export async function acceptWithin<Refusal>(
  tx: Transaction,
  request: AcceptRequest<Refusal>,
): Promise<Accepted<Refusal>> {
  const held = await holdKey(tx, request);
  if (held && 'ok' in held) return held;
  const refused = await refusedRequest(tx, request);
  if (refused) return refused;
  const { operation, items, beyond } = await writeOperation(tx, request, held);
  if (beyond.length > 0) throw new TakenBack({ ok: false, code: 'quota_exceeded', beyond });
  await noteAccepted(tx, request, operation);
  const regret = await request.after?.(tx, { operationId: operation.id, items: items ?? [] });
  if (regret !== undefined) throw new TakenBack({ ok: false, code: 'refused', refusal: regret });
  const plan = request.plan && (await loadPlan(tx, operation.id));
  const idempotencyExpiresAt = held && answerExpiresAt(held, operation);
  const body = JSON.stringify(
    request.render({ operation, ...present({ items, plan, idempotencyExpiresAt }) }),
  );
  if (held) await keepAnswer(tx, held, operation, { status: request.plan ? 201 : 202, body });
  return { ok: true, body, operationId: operation.id, operation };
}

/** Why a request is refused before anything of it is written. */
async function refusedRequest<Refusal>(
  tx: Transaction,
  request: AcceptRequest<Refusal>,
): Promise<Refused<Refusal> | undefined> {
  const { tenant, selection } = request;
  // What is known here is there when it is selected.
  if (namesIds(selection)) await keepFromRemoval(tx, tenant.id);
  const unknown = await unknownIds(tx, tenant.id, selection);
  if (unknown.length > 0) return { ok: false, code: 'unknown_ids', ids: unknown };
  const refusal = await request.before?.(tx);
  return refusal === undefined ? undefined : { ok: false, code: 'refused', refusal };
}

async function noteAccepted(
  tx: Transaction,
  { tenant, selection, plan, emergency, caller, reason, ticket }: AcceptRequest<unknown>,
  operation: Operation,
): Promise<void> {
  const by = { tenantId: tenant.id, by: caller, target: operation.id };
  await noteAct(tx, {
    ...by,
    action: plan ? 'operation.planned' : 'operation.accepted',
    detail: { ...detailOf(operation), ...(plan ? { plan } : {}) },
    words: present({ reason, ticket }),
    ...present({ spans: 'tenants' in selection ? selection.tenants : undefined }),
  });
  if (emergency)
    await noteAct(tx, {
      ...by,
      action: 'operation.emergency',
      detail: { atStart: true },
      words: present({ reason }),
    });
}

/** The facts of an operation that its audit has; what it selects by may be a customer's words, and is not told. */
function detailOf(operation: Operation): AuditDetail {
  const { kind, state, surface, target, newIdentity, selection, options, counts } = operation;
  const [select = ''] = 'outage' in selection ? ['outage'] : Object.keys(selection);
  const { canary, ramp, ...others } = options;
  return {
    kind,
    surface,
    target,
    ...(newIdentity ? { newIdentity } : {}),
    select,
    options: { ...others, ...present({ canary: canary && { ...canary }, ramp: ramp && { ...ramp } }) },
    // A filter selects later.
    ...(isExplicit(selection) && state !== 'planned' ? { expected: counts.expected } : {}),
  };
}

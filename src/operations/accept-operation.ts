import { createHash } from 'node:crypto';
import type { ActBy } from '../domain/audit/audit-action.ts';
import type { AuditDetail } from '../domain/audit/audit-entry.ts';
import type { AcceptedItem } from '../domain/operations/accepted-item.ts';
import type { Operation, OperationOptions } from '../domain/operations/operation.ts';
import type { OperationKind } from '../domain/operations/operation-state.ts';
import { type AskedPlan, PLAN_LIFE_MS, type Plan } from '../domain/operations/plan.ts';
import { isExplicit, isSingle, namesIds, type Selection } from '../domain/operations/selection.ts';
import { isWatched } from '../domain/operations/watch.ts';
import { canHoldUpTo } from '../domain/policy/policy.ts';
import type { QuotaExceeded } from '../domain/policy/quotas.ts';
import { present } from '../domain/present.ts';
import type { SurfaceName } from '../domain/tenancy/surface-name.ts';
import { type Id, newId } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Queryable, Transaction } from '../store/db/queryable.ts';
import { acceptedItems } from '../store/operations/accepted-items.ts';
import { lockKey, storeAnswer } from '../store/operations/idempotency-keys.ts';
import { keepTrace } from '../store/operations/operation-traces.ts';
import { insertOperation, loadOperation } from '../store/operations/operations.ts';
import { linkOperation } from '../store/outages/outage-operations.ts';
import { insertPlan, loadPlan } from '../store/plans/plans.ts';
import { hasFreezeWindows } from '../store/policy/freeze-spans.ts';
import { policyInForce } from '../store/policy/policies.ts';
import { keepFromRemoval } from '../store/retention/removal-gate.ts';
import { countExplicit, unknownIds } from '../store/selection/known-ids.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { freezeExplicit, freezeJudged } from './freeze-explicit.ts';
import { logAccepted } from './operation-log.ts';
import { beyondLimits } from './policy/within-limits.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** An event of a list may have been delivered to more endpoints; then the number counts as larger than any limit does. */
const MAX_NAMED_DELIVERIES = 100_000;

/** Explicit lists of at most so many deliveries are sent by the live lane at once. */
const INTERACTIVE_ITEMS = 16;

/**
 * How long the answer to a key is kept: for a time, for as long as the operation is, or while the operation is open.
 */
export type KeepAnswer = { ms: number } | 'for_ever' | 'while_open';

/** The request of a caller, whatever the surface. Ids are uuids of the tenant's own. */
export interface AcceptRequest<Refusal = never> {
  tenant: { id: Id<'tenant'>; handle: string };
  surface: SurfaceName;
  kind: OperationKind;
  target: 'original' | 'current';
  /** A replay that sends new deliveries, which point to those that it selects. */
  newIdentity?: boolean;
  selection: Selection;
  options: OperationOptions;
  reason?: string;
  ticket?: string;
  /** It is only planned: nothing is sent before somebody executes the plan. */
  plan?: AskedPlan;
  /** It does not wait for approval, whatever the policy says; only of who may say so, and with a reason. */
  emergency?: boolean;
  /** Events that it is expected to send, where the surface tells. */
  estimatedEvents?: number;
  /** Who asks, with which API key, and in which request. */
  caller: ActBy;
  /** `scope` and `fingerprint` are declared by the surface. */
  idempotency?: { scope: string; key: string; fingerprint: Buffer; keep: KeepAnswer };
  /**
   * Looks, and writes, in the transaction that accepts the operation, before anything of it is written; a refusal that
   * it returns refuses the request, and nothing is kept. Not called for a repeat.
   */
  before?(tx: Transaction): Promise<Refusal | undefined>;
  /**
   * Looks, and writes, in the same transaction when the operation and the items of an explicit list are there; a
   * refusal that it returns takes all of it back.
   */
  after?(
    tx: Transaction,
    accepted: { operationId: Id<'operation'>; items: AcceptedItem[] },
  ): Promise<Refusal | undefined>;
  /** Renders the answer; it is stored as JSON and given alike, now and to every repeat. */
  render(accepted: {
    operation: Operation;
    /** Where it is only planned. */
    plan?: Plan;
    /** The fate of each delivery of an explicit list. */
    items?: AcceptedItem[];
    idempotencyExpiresAt?: Date;
  }): unknown;
}

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

/** It names so few deliveries that each is looked up. */
function isSmall(selection: Selection): boolean {
  return 'deliveryIds' in selection && selection.deliveryIds.length <= INTERACTIVE_ITEMS;
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
  const key = request.idempotency && {
    scope: request.idempotency.scope,
    keyHash: sha256(request.idempotency.key),
    tenantId: request.tenant.id,
    fingerprint: request.idempotency.fingerprint,
  };
  const held = key && (await lockKey(tx, key));
  if (held?.found === 'stored')
    return held.fingerprint.equals(request.idempotency?.fingerprint ?? Buffer.alloc(0))
      ? { ok: true, body: held.body, operationId: held.operationId }
      : { ok: false, code: 'idempotency_key_reused' };
  // What is known here is there when it is selected.
  if (namesIds(request.selection)) await keepFromRemoval(tx, request.tenant.id);
  const unknown = await unknownIds(tx, request.tenant.id, request.selection);
  if (unknown.length > 0) return { ok: false, code: 'unknown_ids', ids: unknown };
  const refusal = await request.before?.(tx);
  if (refusal !== undefined) return { ok: false, code: 'refused', refusal };

  const id = newId('operation');
  // A plan is made by its workflow, whatever it selects: making it may take as long as it needs.
  const explicit = isExplicit(request.selection) && request.plan === undefined;
  const plan = request.plan ?? ((await mayBeHeld(tx, request)) ? 'policy' : undefined);
  const judged = plan === 'policy';
  const inserted = await insertOperation(tx, {
    ...request,
    id,
    tenantId: request.tenant.id,
    // Found by the key, and never that of an earlier use, of which nothing may be left here.
    workflowId: `${request.kind}/${request.tenant.handle}/${
      key ? `${sha256(`${key.scope}\n${request.idempotency?.key}`).toString('hex').slice(0, 32)}.${id}` : id
    }`,
    interactive: explicit && (await isInteractive(tx, request)),
    selected: explicit,
    held: judged,
    ...(plan ? { plannedForMs: PLAN_LIFE_MS[plan] } : {}),
  });
  if (request.caller.traceparent) await keepTrace(tx, id, request.caller.traceparent);
  if (plan)
    await insertPlan(tx, {
      operationId: id,
      tenantId: request.tenant.id,
      origin: plan,
      emergency: judged && request.emergency === true,
    });
  if ('outage' in request.selection && request.selection.outage)
    await linkOperation(tx, request.selection.outage, id);
  const overLimits = explicit && judged ? await freezeJudged(tx, id) : [];
  if (explicit && !judged) await freezeExplicit(tx, inserted);
  const operation = explicit ? await mustLoad(tx, id) : inserted;
  const items = explicit ? await acceptedItems(tx, id) : undefined;
  // A plan sends nothing yet; what a filter selects is not known yet.
  const beyond =
    request.plan || (explicit && judged)
      ? overLimits
      : await beyondLimits(tx, operation, explicit ? takenBy(operation) : undefined);
  if (beyond.length > 0) throw new TakenBack({ ok: false, code: 'quota_exceeded', beyond });
  await noteAct(tx, {
    tenantId: request.tenant.id,
    by: request.caller,
    action: request.plan ? 'operation.planned' : 'operation.accepted',
    target: id,
    detail: { ...detailOf(operation), ...(request.plan ? { plan: request.plan } : {}) },
    words: present({ reason: request.reason, ticket: request.ticket }),
    ...present({ spans: 'tenants' in request.selection ? request.selection.tenants : undefined }),
  });
  if (request.emergency)
    await noteAct(tx, {
      tenantId: request.tenant.id,
      by: request.caller,
      action: 'operation.emergency',
      target: id,
      detail: { atStart: true },
      words: present({ reason: request.reason }),
    });
  const regret = await request.after?.(tx, { operationId: id, items: items ?? [] });
  if (regret !== undefined) throw new TakenBack({ ok: false, code: 'refused', refusal: regret });
  const shown = request.plan && (await loadPlan(tx, id));
  const keep = request.idempotency?.keep;
  const expiresAt = typeof keep === 'object' ? new Date(operation.createdAt.getTime() + keep.ms) : undefined;
  const body = JSON.stringify(
    request.render({
      operation,
      ...present({ items, plan: shown, idempotencyExpiresAt: expiresAt }),
    }),
  );
  if (key)
    await storeAnswer(tx, key, {
      operationId: id,
      status: request.plan ? 201 : 202,
      body,
      whileOpen: keep === 'while_open',
      ...present({ expiresAt }),
    });
  return { ok: true, body, operationId: id, operation };
}

/** The deliveries that an operation has taken, those left out that it excluded. */
function takenBy({ counts }: Operation): number {
  return counts.expected - counts.excluded;
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

/**
 * Whether the policy in force may let it wait: then it is planned whole before anything of it is sent. What spans tenants
 * belongs to the platform, and waits for none of them.
 */
async function mayBeHeld(
  tx: Transaction,
  { tenant, selection, plan }: AcceptRequest<unknown>,
): Promise<boolean> {
  if (plan !== undefined || ('tenants' in selection && selection.tenants !== undefined)) return false;
  const policy = await policyInForce(tx, tenant.id);
  if (!policy || !canHoldUpTo(policy.rules, Number.POSITIVE_INFINITY)) return false;
  if (!isExplicit(selection)) return true;
  return canHoldUpTo(policy.rules, await countExplicit(tx, tenant.id, selection, MAX_NAMED_DELIVERIES));
}

async function isInteractive(
  db: Queryable,
  { tenant, options, selection }: AcceptRequest<unknown>,
): Promise<boolean> {
  if (options.ratePerSecond !== undefined || options.maxConcurrency !== undefined || isWatched(options))
    return false;
  // The live lane would look past what a window holds again and again; its own slices wait for the end.
  if (!isSingle(selection) && (await hasFreezeWindows(db, tenant.id))) return false;
  return (await countExplicit(db, tenant.id, selection, INTERACTIVE_ITEMS + 1)) <= INTERACTIVE_ITEMS;
}

async function mustLoad(db: Queryable, id: Id<'operation'>): Promise<Operation> {
  const operation = await loadOperation(db, id);
  if (!operation) throw new Error('an operation that was just written is not there');
  return operation;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

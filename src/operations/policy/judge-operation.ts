import type { Operation } from '../../domain/operations/operation.ts';
import type { Plan } from '../../domain/operations/plan.ts';
import { isSingle } from '../../domain/operations/selection.ts';
import type { Party } from '../../domain/policy/approver.ts';
import { HOLD_EXPIRES_MS, type Hold } from '../../domain/policy/hold.ts';
import { goesOn, type Judgement, judge } from '../../domain/policy/judgement.ts';
import { inForce, QUOTAS } from '../../domain/policy/policy.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { announce } from '../../store/announcements/announce.ts';
import type { Queryable, Transaction } from '../../store/db/queryable.ts';
import { ITSELF, noteControl } from '../../store/operations/operation-controls.ts';
import { acceptJudged, awaitApproval } from '../../store/operations/operation-states.ts';
import { loadOperation } from '../../store/operations/operations.ts';
import { loadPlan, noteOwnExecution } from '../../store/plans/plans.ts';
import {
  endHold,
  freeItems,
  holdItems,
  insertHold,
  insertVerdict,
  lastHold,
} from '../../store/policy/holds.ts';
import { type ForcedPolicy, policyInForce } from '../../store/policy/policies.ts';
import { chargeQuotas, lookAtQuotas, type OverQuota, type QuotaCharge } from '../../store/policy/quotas.ts';
import { requestersOf } from '../../store/policy/requesters.ts';

/** A judgement, the policy that made it, and the ceilings of the installation above which nobody can approve it. */
export interface Judged extends Judgement {
  policy: ForcedPolicy;
  beyond: QuotaExceeded[];
}

/**
 * Judges an operation that was started without a plan, once what it would take is known: it goes on by itself, or waits.
 * Whoever started it has executed its plan with that. Returns the ceilings that it exceeds: where it was accepted before
 * anybody knew, it waits, and nobody can approve it as long as they hold.
 */
export async function judgeStarted(tx: Transaction, operationId: Id<'operation'>): Promise<QuotaExceeded[]> {
  const operation = await loadOperation(tx, operationId);
  const plan = operation && (await loadPlan(tx, operationId));
  if (!operation || !plan) return [];
  const judged = await judgePlan(tx, operation, plan);
  await noteOwnExecution(tx, operationId);
  if (!judged || goesOn(judged)) {
    await acceptJudged(tx, operationId);
    return [];
  }
  await holdPlanned(tx, operation, plan, judged);
  if (!plan.emergency || judged.beyond.length > 0) return judged.beyond;
  const hold = await lastHold(tx, operationId);
  const [requester] = await requestersOf(tx, operationId);
  if (hold && requester && !(await passHold(tx, operation.tenantId, hold, requester, operation.reason)))
    await noteControl(tx, operationId, { did: 'emergency', actor: requester.actor });
  return [];
}

/** The members of an operation by which it is judged. */
type JudgedOperation = Pick<
  Operation,
  'id' | 'tenantId' | 'kind' | 'target' | 'selection' | 'options' | 'reason' | 'ticket'
>;

/**
 * Judges a plan that is to run now by the policy in force; undefined where there is none. Where nothing else holds it, it
 * is charged to the quotas, which may: what waits is charged when it is approved.
 */
export async function judgePlan(
  tx: Transaction,
  operation: JudgedOperation,
  plan: Pick<Plan, 'items' | 'risks'>,
): Promise<Judged | undefined> {
  const policy = await policyInForce(tx, operation.tenantId);
  if (!policy) return undefined;
  const alone = judgedBy(policy, operation, plan, NOTHING_OVER);
  if (isSingle(operation.selection)) return alone;
  const charge = chargeOf(policy, operation, plan);
  const over = goesOn(alone) ? await chargeQuotas(tx, charge) : await lookAtQuotas(tx, charge);
  return judgedBy(policy, operation, plan, over);
}

/** Says how a plan would be judged, were it to run now; nothing is charged. */
export async function foreseeJudgement(
  db: Queryable,
  operation: JudgedOperation,
  plan: Pick<Plan, 'items' | 'risks'>,
): Promise<Judged | undefined> {
  const policy = await policyInForce(db, operation.tenantId);
  if (!policy) return undefined;
  const over = isSingle(operation.selection)
    ? NOTHING_OVER
    : await lookAtQuotas(db, chargeOf(policy, operation, plan));
  return judgedBy(policy, operation, plan, over);
}

const NOTHING_OVER: OverQuota = { exceeded: [], beyond: [] };

function judgedBy(
  policy: ForcedPolicy,
  { kind, target, reason, ticket }: JudgedOperation,
  { items, risks }: Pick<Plan, 'items' | 'risks'>,
  { exceeded, beyond }: OverQuota,
): Judged {
  const overQuota = QUOTAS.filter((each) => [...exceeded, ...beyond].some(({ quota }) => quota === each));
  const facts = { kind, target, items, risks, overQuota, ...present({ reason, ticket }) };
  return { policy, beyond, ...judge(policy.rules, facts) };
}

function chargeOf(
  { rules: { quotas } }: Pick<ForcedPolicy, 'rules'>,
  { id, tenantId, options }: Pick<JudgedOperation, 'id' | 'tenantId' | 'options'>,
  { items }: Pick<Plan, 'items'>,
): QuotaCharge {
  return {
    tenantId,
    operationId: id,
    items,
    quotas,
    ...present({ ratePerSecond: options.ratePerSecond }),
  };
}

/** Lets a planned operation wait for what a policy asks of it. */
export async function holdPlanned(
  tx: Transaction,
  { id, tenantId }: Pick<Operation, 'id' | 'tenantId'>,
  plan: Plan,
  { policy, beyond: _, ...judgement }: Judged,
): Promise<boolean> {
  if (!plan.planned || !(await awaitApproval(tx, id))) return false;
  await insertHold(
    tx,
    { operationId: id, tenantId, planHash: plan.planned.planHash, policyDigest: policy.digest },
    judgement,
  );
  const { number } = await noteControl(tx, id, { did: 'hold', actor: ITSELF });
  await announce(tx, {
    type: 'operation.awaiting_approval',
    tenantId,
    operationId: id,
    once: number,
    data: { planHash: plan.planned.planHash, items: plan.items, ...judgement },
  });
  // What was matched afresh has items by now; what was named gets them later.
  await holdItems(tx, id, HOLD_EXPIRES_MS);
  return true;
}

/** Ends a hold as an emergency of somebody's and accepts the operation; returns the ceilings that forbid it, if any. */
export async function passHold(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  hold: Hold,
  { actor, keyId }: Party,
  comment: string | undefined,
): Promise<QuotaExceeded[] | undefined> {
  const { operationId, number, planHash, because } = hold;
  const beyond = await releaseHold(tx, hold, 'emergency');
  if (beyond) return beyond;
  // Behind it: where a ceiling forbids it, nobody's emergency is left on an operation that goes on waiting.
  await insertVerdict(tx, hold, { verdict: 'emergency', actor, ...present({ keyId, comment }) });
  await announce(tx, {
    type: 'operation.approved',
    tenantId,
    operationId,
    once: number,
    data: { planHash, because, emergency: true },
  });
  return undefined;
}

/**
 * Ends a hold, charges the operation to the quotas, which it may exceed by that, and accepts it. Returns the ceilings of the
 * installation that it is above: nobody can let it run, and the transaction is to be taken back.
 */
export async function releaseHold(
  tx: Transaction,
  hold: Hold,
  endedFor: 'approved' | 'explained' | 'emergency',
): Promise<QuotaExceeded[] | undefined> {
  const { operationId } = hold;
  const operation = await loadOperation(tx, operationId);
  const plan = operation && (await loadPlan(tx, operationId));
  if (!operation || !plan) throw new Error('an operation that waits is not there');
  if (!isSingle(operation.selection)) {
    // Whatever the rules are by now: approved, it is charged to the day all the same.
    const rules = (await policyInForce(tx, operation.tenantId))?.rules ?? inForce([]);
    const charge = chargeOf({ rules }, operation, plan);
    const { charged, beyond } = await chargeQuotas(tx, { ...charge, approved: true });
    if (!charged) return beyond;
  }
  await freeItems(tx, hold, HOLD_EXPIRES_MS);
  await endHold(tx, operationId, endedFor);
  await acceptJudged(tx, operationId);
  return undefined;
}

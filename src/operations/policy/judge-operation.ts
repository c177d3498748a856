import type { Operation } from '../../domain/operations/operation.ts';
import type { Plan } from '../../domain/operations/plan.ts';
import type { Party } from '../../domain/policy/approver.ts';
import { HOLD_EXPIRES_MS, type Hold } from '../../domain/policy/hold.ts';
import { goesOn, type Judgement, judge } from '../../domain/policy/judgement.ts';
import type { PolicyInForce, Quota } from '../../domain/policy/policy.ts';
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
import { requestersOf } from '../../store/policy/requesters.ts';

/** A judgement, and the policy that made it. */
export interface Judged extends Judgement {
  policy: ForcedPolicy;
}

/**
 * Judges an operation that was started without a plan, once what it would take is known: it goes on by itself, or waits.
 * Whoever started it has executed its plan with that.
 */
export async function judgeStarted(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  const operation = await loadOperation(tx, operationId);
  const plan = operation && (await loadPlan(tx, operationId));
  if (!operation || !plan) return;
  const judged = await judgePlan(tx, operation, plan, { charges: true });
  await noteOwnExecution(tx, operationId);
  if (!judged || goesOn(judged)) {
    await acceptJudged(tx, operationId);
    return;
  }
  await holdPlanned(tx, operation, plan, judged);
  if (!plan.emergency) return;
  const hold = await lastHold(tx, operationId);
  const [requester] = await requestersOf(tx, operationId);
  if (!hold || !requester || !(await passHold(tx, operation.tenantId, hold, requester, operation.reason)))
    return;
  await noteControl(tx, operationId, { did: 'emergency', actor: requester.actor });
}

/**
 * Judges a plan by the policy in force; undefined where there is none. Only who lets it run charges it to the quotas; for
 * whoever only looks they are as they are.
 */
export async function judgePlan(
  db: Queryable,
  operation: Pick<Operation, 'tenantId' | 'kind' | 'target' | 'options' | 'reason' | 'ticket'>,
  plan: Pick<Plan, 'items' | 'risks'>,
  { charges }: { charges: boolean },
): Promise<Judged | undefined> {
  const policy = await policyInForce(db, operation.tenantId);
  if (!policy) return undefined;
  const { kind, target, reason, ticket } = operation;
  const facts = { kind, target, items: plan.items, risks: plan.risks, ...present({ reason, ticket }) };
  const overQuota = quotasOver(policy.rules, operation, plan, charges);
  return { policy, ...judge(policy.rules, { ...facts, overQuota }) };
}

/** The quotas that an operation exceeds by itself. */
function quotasOver(
  { quotas }: PolicyInForce,
  { options }: Pick<Operation, 'options'>,
  { items }: Pick<Plan, 'items'>,
  _charges: boolean,
): Quota[] {
  const { itemsPerOperation = Number.POSITIVE_INFINITY, ratePerSecond } = quotas;
  return [
    ...(items > itemsPerOperation ? (['itemsPerOperation'] as const) : []),
    ...(ratePerSecond !== undefined && (options.ratePerSecond ?? Number.POSITIVE_INFINITY) > ratePerSecond
      ? (['ratePerSecond'] as const)
      : []),
  ];
}

/** Lets a planned operation wait for what a policy asks of it. */
export async function holdPlanned(
  tx: Transaction,
  { id, tenantId }: Pick<Operation, 'id' | 'tenantId'>,
  plan: Plan,
  { policy, ...judgement }: Judged,
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

/** Ends a hold as an emergency of somebody's, and accepts the operation. */
export async function passHold(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  hold: Hold,
  { actor, keyId }: Party,
  comment: string | undefined,
): Promise<boolean> {
  const { operationId, number, planHash, because } = hold;
  await insertVerdict(tx, hold, { verdict: 'emergency', actor, ...present({ keyId, comment }) });
  await freeItems(tx, hold, HOLD_EXPIRES_MS);
  if (!(await endHold(tx, operationId, 'emergency'))) return false;
  await announce(tx, {
    type: 'operation.approved',
    tenantId,
    operationId,
    once: number,
    data: { planHash, because, emergency: true },
  });
  return acceptJudged(tx, operationId);
}

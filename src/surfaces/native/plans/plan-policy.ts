import type { Operation } from '../../../domain/operations/operation.ts';
import type { Plan } from '../../../domain/operations/plan.ts';
import { foreseeJudgement } from '../../../operations/policy/judge-operation.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { lastHold } from '../../../store/policy/holds.ts';
import type { PlanPolicy } from './plan-view.ts';

/** How the policy stands to a plan: whether it would have to be approved, were it executed now, or waits for that. */
export async function planPolicy(db: Queryable, operation: Operation, plan: Plan): Promise<PlanPolicy> {
  const hold = await lastHold(db, operation.id);
  const waits = hold !== undefined && !hold.ended && hold.approvers > 0;
  const judged =
    operation.state === 'planned' && plan.planned ? await foreseeJudgement(db, operation, plan) : undefined;
  return { awaitsApproval: waits || (judged?.approvers ?? 0) > 0, ...(hold ? { hold } : {}) };
}

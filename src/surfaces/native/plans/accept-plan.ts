import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem } from '../../../api/problems/problem.ts';
import type { Reply } from '../../../api/reply.ts';
import type { AskedPlan } from '../../../domain/operations/plan.ts';
import { acceptRetry, type RetryCall } from '../retries/accept-retry.ts';
import { planSummary } from './plan-view.ts';

/** The problems of asking for a plan. */
export const PLAN_PROBLEMS = ['idempotency_key_invalid', 'idempotency_key_reused', 'unknown_ids'] as const;

/** Answers with a plan that is being made; the call answers at once, however many deliveries it selects. */
export async function acceptPlan(
  deps: ApiDeps,
  call: RetryCall,
  origin: AskedPlan,
  path?: string,
): Promise<Reply | Problem> {
  const accepted = await acceptRetry(deps, call, {
    ...(path === undefined ? {} : { path }),
    plan: origin,
    render: ({ operation, plan }) => (plan ? planSummary(operation, plan) : undefined),
  });
  return isProblem(accepted) ? accepted : { status: 201, ...accepted };
}

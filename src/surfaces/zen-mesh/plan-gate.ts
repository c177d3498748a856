import { problem } from '../../api/problems/problem.ts';
import type { Tenant } from '../../store/tenancy/tenants.ts';
import type { ZenProblem } from './problems.ts';

type Plan = NonNullable<Tenant['plan']>;

/** Deliveries of one batch by plan; a tenant without a plan is not gated. */
const BATCH_SIZES: Record<Plan, number> = { free: 0, pro: 100, business: 1_000 };

/** The most deliveries that a batch may name, on any plan. */
export const MAX_BATCH = BATCH_SIZES.business;

/** Why a plan does not allow a batch of so many; undefined where it does. */
export function refusedBatch(plan: Plan | undefined, size: number): ZenProblem | undefined {
  if (plan === undefined || size <= BATCH_SIZES[plan]) return undefined;
  const requiredPlan = size <= BATCH_SIZES.pro ? 'pro' : 'business';
  return {
    ...problem('insufficient_scope', {
      detail:
        BATCH_SIZES[plan] === 0
          ? `Batch retry is not part of the plan ${plan}: it needs the plan ${requiredPlan}.`
          : `The plan ${plan} has batches of up to ${BATCH_SIZES[plan]} deliveries: this one needs the plan ${requiredPlan}.`,
    }),
    requiredPlan,
  };
}

import type { components } from '@redrive/client';
import { Stop } from '../../core/stop.ts';

type Plan = components['schemas']['Plan'];

/** Why a plan has ended, in words; a reason that has none does not compile. */
const ENDED_FOR: Readonly<Record<NonNullable<Plan['endedFor']>, string>> = {
  plan_expired: 'nobody executed it in time',
  approval_expired: 'nobody approved it in time',
  rejected: 'an approver rejected it',
  cancelled: 'somebody cancelled it',
};

/** The state of a plan, and why it ended. */
export function stateWords({ state, endedFor }: Pick<Plan, 'state' | 'endedFor'>): string {
  return endedFor === null ? state : `${state}: ${ENDED_FOR[endedFor] ?? endedFor}`;
}

/** Stops where there is nothing to execute any more, before anybody is asked whether to. */
export function refuseEnded(plan: Pick<Plan, 'id' | 'state' | 'endedFor' | 'executedAt'>): void {
  if (plan.executedAt !== null || plan.endedFor === null) return;
  throw new Stop(
    'usage',
    `${plan.id} cannot be executed: it is ${stateWords(plan)}. Nothing was sent.`,
    'make another: redrive retry plan with the same selection',
  );
}

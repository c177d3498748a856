import { answerOf, type components } from '@redrive/client';
import { Stop } from '../../core/stop.ts';
import { counted } from '../../core/text.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import type { Plan } from './plan-view.ts';

/** Seconds that the server waits for a plan at a time. */
const WAIT_SECONDS = 5;

/** Has a plan made and waits until it is. Nothing is sent by that. */
export async function makePlan(
  { speaker }: Context,
  api: Api,
  body: components['schemas']['RetryRequest'],
): Promise<Plan> {
  const { id } = await answerOf(
    api.calls.POST('/api/v1/retries/plans', {
      // The client gives it a key: where its answer was lost it is asked for again, and is the same plan.
      body,
    }),
  );
  for (;;) {
    const plan = await getPlan(api, id, WAIT_SECONDS);
    if (plan.state !== 'planning') return planned(plan);
    speaker.say(`Planning: ${counted(plan.count.items, 'delivery', 'deliveries')} so far.`);
  }
}

/** A plan, as soon as it is made or after some seconds. */
export function getPlan(api: Api, id: string, wait = 0): Promise<Plan> {
  return answerOf(api.calls.GET('/api/v1/retries/plans/{id}', { params: { path: { id }, query: { wait } } }));
}

function planned(plan: Plan): Plan {
  if (plan.planHash !== null) return plan;
  throw new Stop(
    plan.state === 'halted' ? 'halted' : 'failed',
    `The plan ${plan.id} could not be made: it is ${plan.state}.`,
    `redrive retry get ${plan.operationId}`,
  );
}

import { answerOf, type components } from '@redrive/client';
import { Stop } from '../../core/stop.ts';
import { counted } from '../../core/text.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { askUntil } from './ask-until.ts';
import { stateWords } from './plan-state.ts';
import type { Plan } from './plan-view.ts';
import { type Waiting, WaitLimits } from './wait-limits.ts';

/** Seconds that the server waits for a plan at a time. */
const WAIT_SECONDS = 5;

/** Has a plan made and waits until it is, for no longer than was said. Nothing is sent by that. */
export async function makePlan(
  context: Context,
  api: Api,
  body: components['schemas']['RetryRequest'],
  waiting: Waiting,
): Promise<Plan> {
  const { id } = await answerOf(
    api.calls.POST('/api/v1/retries/plans', {
      // The client gives it a key: where its answer was lost it is asked for again, and is the same plan.
      body,
    }),
  );
  const look = `redrive retry get ${id}`;
  const kept = `Nothing was sent. The plan ${id} is kept, and is made without being watched.`;
  context.comeBack = () => ['', kept, `Look at it by: ${look}`];
  const limits = new WaitLimits(
    waiting,
    () => new Stop('failed', `The server was away for too long. ${kept}`, look),
  );
  try {
    const made = await askUntil(context, limits, async (signal) => {
      const plan = await getPlan(api, id, WAIT_SECONDS, signal);
      if (plan.state !== 'planning') return plan;
      context.speaker.say(`Planning: ${counted(plan.count.items, 'delivery', 'deliveries')} so far.`);
      return undefined;
    });
    if (!made) throw new Stop('running', `Still planning after --timeout. ${kept}`, look);
    return planned(made);
  } finally {
    limits.end();
    context.comeBack = undefined;
  }
}

/** A plan, as soon as it is made or after some seconds. */
export function getPlan(api: Api, id: string, wait = 0, signal?: AbortSignal): Promise<Plan> {
  return answerOf(
    api.calls.GET('/api/v1/retries/plans/{id}', {
      params: { path: { id }, query: { wait } },
      ...(signal ? { signal } : {}),
    }),
  );
}

function planned(plan: Plan): Plan {
  if (plan.planHash !== null) return plan;
  const { state, endedFor } = plan;
  throw new Stop(
    endedFor !== null ? 'cancelled' : state === 'halted' ? state : 'failed',
    `The plan ${plan.id} could not be made: it is ${stateWords(plan)}.`,
    `redrive retry get ${plan.operationId}`,
  );
}

import { answerOf } from '@redrive/client';
import { onOff } from '../../command/command.ts';
import { Away } from '../../core/away.ts';
import { type Exit, exitOfState } from '../../core/exit-codes.ts';
import { mistakeOf } from '../../core/mistake.ts';
import { planId } from '../../core/operation-ids.ts';
import { Stop } from '../../core/stop.ts';
import { counted } from '../../core/text.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { LiveView } from './live-view.ts';
import { getPlan } from './make-plan.ts';
import type { Plan } from './plan-view.ts';
import { haltWords, operationLines, type Progress } from './progress-view.ts';
import { LIMIT_FLAGS, type Waiting, WaitLimits } from './wait-limits.ts';

/** The flags of whatever waits. */
export const WAIT_FLAGS = {
  ...LIMIT_FLAGS,
  throughApproval: onOff('wait for approvals, too'),
};

/** How an operation ended, or why nobody waits for it any more. */
export interface Waited {
  operation: Progress;
  exit: Exit;
}

/** Follows an operation until it ends, stands still, or the time is over; shows how it goes. */
export async function waitFor(context: Context, api: Api, id: string, waiting: Waiting): Promise<Waited> {
  const { speaker, out } = context;
  const back = `redrive retry watch ${id}`;
  context.comeBack = () => {
    waiting.onDetach?.();
    return ['', `Detached: ${id} goes on. Come back by: ${back}`];
  };
  const limits = new WaitLimits(
    waiting,
    () => new Stop('failed', `The server was away for too long; ${id} goes on without being watched.`, back),
  );
  const view = new LiveView(context);
  const away = new Away();
  try {
    const stream = api.watch(`/api/v1/retries/${encodeURIComponent(id)}/stream`, {
      signal: limits.signal,
      onConnection(connection) {
        const words = connection.up ? away.found() : away.lost(lossWords(connection));
        if (words !== undefined) speaker.say(words);
        if (!connection.up) {
          limits.lost();
          view.isAway();
          return;
        }
        limits.found();
        // What has not changed meanwhile is not told again.
        if (words !== undefined) view.catchUp(getOperation(api, id)).catch(() => {});
      },
    });
    for await (const { event, data } of stream) {
      const operation = data as Progress;
      if (out.form === 'ndjson') await out.one(operation);
      view.show(operation);
      if (event === 'closed' || (await standsStill(api, operation, waiting))) break;
    }
  } finally {
    limits.end();
    view.end();
    context.comeBack = undefined;
  }
  if (limits.given) throw limits.given;
  const operation = view.operation ?? (await getOperation(api, id));
  if (limits.timedOut) {
    speaker.say(`Still running after --timeout. Come back by: ${back}`);
    return { operation, exit: 'running' };
  }
  const exit = exitOfState(operation.state);
  if (exit === 'running')
    throw new Stop(
      'failed',
      `${id} is ${operation.state}: a state in which this version does not know what to do.`,
      back,
    );
  return { operation, exit };
}

function lossWords({ error }: { error: unknown }): string {
  return error === undefined
    ? 'The stream ended.'
    : `The connection was lost (${mistakeOf(error).what.replace(/\.$/, '')}).`;
}

/** Whether nothing follows before somebody does something. */
async function standsStill(
  api: Api,
  { id, state }: Progress,
  { throughApproval }: Waiting,
): Promise<boolean> {
  if (state === 'halted') return true;
  if (state === 'awaiting_approval') return throughApproval !== true;
  if (state !== 'planned') return false;
  const plan = await getPlan(api, planId(id));
  if (plan.driftTooLarge) throw driftedTooFar(plan);
  throw new Stop(
    'usage',
    `${id} is a plan that nobody has executed.`,
    `redrive retry execute ${plan.id} --hash ${plan.planHash}`,
  );
}

/** What is said where the execution of a plan was taken back. */
export function driftedTooFar({ id }: Plan): Stop {
  return new Stop(
    'changed',
    'More has drifted than --max-drift allows. Nothing was sent, and the plan stays.',
    `redrive retry get ${id}`,
  );
}

/** An operation as it is. */
export function getOperation(api: Api, id: string) {
  return answerOf(api.calls.GET('/api/v1/retries/{id}', { params: { path: { id } } }));
}

/** Shows how an operation ended: as data. */
export async function writeOutcome(
  { out, speaker }: Context,
  api: Api,
  { operation, exit }: Waited,
): Promise<void> {
  if (out.form === 'table') await out.lines(operationLines(operation));
  else if (out.form === 'json') await out.one(operation);
  // What was cancelled as a plan, or before it was approved, has none.
  const hasReport = exit === 'done' || exit === 'failures' || exit === 'cancelled';
  if (hasReport && operation.counts.expected > 0)
    speaker.say(`Its report: redrive retry report ${operation.id} --signed`);
  if (exit === 'halted') {
    speaker.say(`${operation.halt ? haltWords(operation.halt) : 'halted'}.`);
    speaker.say(`Go on by: redrive retry resume ${operation.id}`);
  }
  if (exit === 'awaitingApproval')
    for (const line of approvalLines(await getOperation(api, operation.id))) speaker.say(line);
}

/** What a policy waits for, and the commands that give it. */
export function approvalLines({ id, approval }: Awaited<ReturnType<typeof getOperation>>): string[] {
  if (!approval) return [`Look at it by: redrive retry get ${id}`];
  const { missing, because, approvers } = approval;
  const words = missing.map((word) => ` --${word} …`).join('');
  return [
    ...(missing.length === 0
      ? []
      : [`It waits for its ${missing.join(' and its ')}: redrive retry explain ${id}${words}`]),
    ...(because.length === 0
      ? []
      : [
          `It waits for ${counted(approvers.needed - approvers.given, 'approval')} (${because.join(', ')}), by somebody else: redrive retry approve ${id}`,
        ]),
  ];
}

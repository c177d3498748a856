import { answerOf } from '@redrive/client';
import { onOff, value } from '../../command/command.ts';
import { parseDuration } from '../../core/durations.ts';
import { type Exit, exitOfState } from '../../core/exit-codes.ts';
import { mistakeOf } from '../../core/mistake.ts';
import { Stop } from '../../core/stop.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { getPlan } from './make-plan.ts';
import { haltWords, operationLines, type Progress, progressBlock, progressLine } from './progress-view.ts';
import { type Waiting, WaitLimits } from './wait-limits.ts';

/** Between two lines where nothing can be drawn again. */
const LINE_EVERY_MS = 5_000;
/** Between two pictures of a terminal, for the clock that runs on them. */
const DRAW_EVERY_MS = 1_000;

/** The flags of whatever waits. */
export const WAIT_FLAGS = {
  timeout: value('<duration>', 'wait no longer than this', parseDuration),
  patience: value(
    '<duration>',
    'how long to try to reach a server that is away; 5m where left out',
    parseDuration,
  ),
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
  context.comeBack = () => ['', `Detached: ${id} goes on. Come back by: ${back}`];
  const limits = new WaitLimits(
    waiting,
    () => new Stop('failed', `The server was away for too long; ${id} goes on without being watched.`, back),
  );
  const view = new ProgressView(context);
  try {
    const stream = api.watch(`/api/v1/retries/${encodeURIComponent(id)}/stream`, {
      signal: limits.signal,
      onConnection(connection) {
        if (connection.up) return limits.found();
        limits.lost();
        speaker.say(lossWords(connection));
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

/** Shows how an operation goes: a block in its place on a terminal, a line now and then elsewhere. */
class ProgressView {
  operation: Progress | undefined;
  readonly #context: Context;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(context: Context) {
    this.#context = context;
    const everyMs = context.speaker.screen.redraws ? DRAW_EVERY_MS : LINE_EVERY_MS;
    this.#timer = setInterval(() => this.#draw(), everyMs);
  }

  show(operation: Progress): void {
    const isFirst = this.operation === undefined;
    this.operation = operation;
    if (isFirst || this.#context.speaker.screen.redraws) this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#context.speaker.keep();
  }

  #draw(): void {
    const { speaker, now } = this.#context;
    if (!this.operation) return;
    const seconds = (performance.now() - this.#began) / 1_000;
    if (speaker.screen.redraws)
      speaker.draw(progressBlock(this.operation, seconds, speaker.screen.columns, speaker.style));
    else speaker.say(progressLine(this.operation, now()));
  }
}

function lossWords({ waitMs, error }: { waitMs: number; error: unknown }): string {
  const what =
    error === undefined ? 'The stream ended' : `The connection was lost (${mistakeOf(error).what})`;
  return `${what}: once more in ${Math.ceil(waitMs / 1_000)} s.`;
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
  const plan = await getPlan(api, `pln_${id.slice(3)}`);
  if (plan.driftTooLarge)
    throw new Stop(
      'changed',
      'More has drifted than --max-drift allows. Nothing was sent, and the plan stays.',
      `redrive retry get ${plan.id}`,
    );
  throw new Stop(
    'failed',
    `${id} is a plan that nobody has executed.`,
    `redrive retry execute ${plan.id} --hash ${plan.planHash}`,
  );
}

/** An operation as it is. */
export function getOperation(api: Api, id: string) {
  return answerOf(api.calls.GET('/api/v1/retries/{id}', { params: { path: { id } } }));
}

/** Shows how an operation ended: as data. */
export async function writeOutcome({ out, speaker }: Context, { operation, exit }: Waited): Promise<void> {
  if (out.form === 'table') await out.lines(operationLines(operation));
  else if (out.form === 'json') await out.one(operation);
  if (exit === 'done' || exit === 'failures' || exit === 'cancelled')
    speaker.say(`Its report: redrive retry report ${operation.id} --signed`);
  if (exit === 'halted') {
    speaker.say(`${operation.halt ? haltWords(operation.halt) : 'halted'}.`);
    speaker.say(`Go on by: redrive retry resume ${operation.id}`);
  }
  if (exit === 'awaitingApproval')
    speaker.say(`Approve it, as somebody else, by: redrive retry approve ${operation.id}`);
}

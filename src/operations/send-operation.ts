import { nextStep } from '../domain/operations/next-step.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { Wake } from '../loops/wake.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice } from '../sending/slice.ts';
import type { SliceControl } from '../sending/slice-task.ts';
import { operationFacts, readControl } from '../store/operations/operation-facts.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { haltAfter } from './halt-operation.ts';
import type { OperationContext } from './operation-context.ts';
import { watchOperation } from './watch-operation.ts';

const END_WHEN_IDLE_FOR_MS = 5_000;
const JUDGE_EVERY_MS = 250;
const INTERACTIVE_POLL_MS = 25;
const INTERACTIVE_POLL_MAX_MS = 500;
const INTERACTIVE_WATCH_MS = 2_000;

/** Sends an operation's items by one slice until nothing can be claimed soon, its time is over, or it is stopped. */
export async function sendSlice(
  { sending, running, socketsPerSlice, sliceBudgetMs }: OperationContext,
  operationId: Id<'operation'>,
  stop: AbortSignal,
  step?: TraceSpan,
): Promise<void> {
  const slice = new Slice(sending, {
    workedBy: operationId,
    lane: 'bulk',
    sockets: socketsPerSlice,
    stop,
    budgetMs: sliceBudgetMs,
    endWhenIdleForMs: END_WHEN_IDLE_FOR_MS,
    wake: new Wake(stop),
    control: watchedControl(sending, operationId),
    refused: haltsWhenRefused(sending, operationId),
    trace: step,
  });
  const { claimed } = await running.run(operationId, () => slice.run());
  sending.log.info({ event: 'slice.ended', operationId: showId('operation', operationId), claimed });
}

/** Halts an operation for whose items something is refused: known outcomes are kept, and nothing more is claimed. */
export function haltsWhenRefused(
  sending: SendingContext,
  operationId: Id<'operation'>,
): (error: unknown) => void {
  return (error) => {
    haltAfter(sending, operationId, { step: 'record', code: errorCode(error) }).catch((failure: unknown) =>
      sending.log.warn({ event: 'operation.halt.failed', code: errorCode(failure) }),
    );
  };
}

/**
 * Watches items that the live lane sends: a run only has to see them through, and does so without history for a while.
 */
export async function watchInteractive(
  { pool }: Pick<SendingContext, 'pool'>,
  operationId: Id<'operation'>,
  stop: AbortSignal,
): Promise<void> {
  const wake = new Wake(stop);
  const untilMs = performance.now() + INTERACTIVE_WATCH_MS;
  for (let pollMs = INTERACTIVE_POLL_MS; !stop.aborted && performance.now() < untilMs; pollMs *= 1.5) {
    const facts = await operationFacts(pool, operationId);
    if (!facts || nextStep(facts).do !== 'dispatch') return;
    await wake.wait(Math.min(pollMs, INTERACTIVE_POLL_MAX_MS));
  }
}

/** Reads an operation's control at each claim; one that is watched is judged before, four times a second at most. */
export function watchedControl(
  sending: SendingContext,
  operationId: Id<'operation'>,
): () => Promise<SliceControl> {
  let judgedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    const control = await readControl(sending.pool, operationId);
    if (!control.watched || performance.now() - judgedAtMs < JUDGE_EVERY_MS) return control;
    judgedAtMs = performance.now();
    await watchOperation(sending, operationId);
    return readControl(sending.pool, operationId);
  };
}

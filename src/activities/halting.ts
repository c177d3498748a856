import { CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { HALT_EXPIRES_MS, haltAfter, type StepName } from '../operations/halt-operation.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { isOutage } from '../store/db/outage.ts';
import { codeOf, UNIQUE_VIOLATION } from '../store/db/sqlstate.ts';
import { traceOf } from '../store/operations/operation-traces.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import type { LimitsMet } from './limits-met.ts';
import type { Progress } from './operation-activities.ts';
import { haltedProgress } from './progress.ts';

/** A command came while the step was failing: it is looked at again soon, and does what was asked for. */
const LOOK_AGAIN: Progress['step'] = { do: 'wait', ms: 200, until: 'sent' };

/**
 * Runs a step of an operation. An error that says that something is away goes on to Temporal, which tries the step
 * again; any other halts the operation, because the same step would fail again for ever, and so does a limit that the step
 * meets each time. Where the call that asked for the operation is traced, so is the step.
 */
export async function halting(
  context: Pick<SendingContext, 'pool' | 'log' | 'metrics' | 'tracing'> & { limits: LimitsMet },
  operationId: Id<'operation'>,
  step: StepName,
  run: (trace?: TraceSpan) => Promise<Progress>,
): Promise<Progress> {
  let trace: TraceSpan | undefined;
  let failed = true;
  try {
    trace = await traced(context, operationId, step);
    const progress = await againAfterRace(() => run(trace));
    failed = false;
    context.limits.passed(operationId);
    return progress;
  } catch (error) {
    if (error instanceof CancelledFailure || error instanceof CompleteAsyncError) throw error;
    const tooLarge = context.limits.failed(operationId, error);
    if (isOutage(error) && !tooLarge) throw error;
    const why = { step, code: errorCode(error) };
    const stuck = await haltAfter(context, operationId, why);
    if (!stuck || stuck.became === 'ended')
      return { step: { do: 'end' }, state: stuck?.found ?? 'cancelled', details: 'It has ended.' };
    if (stuck.became === 'overtaken')
      return { step: LOOK_AGAIN, state: stuck.found, details: 'It is looked at again: a command has come.' };
    return haltedProgress(operationId, why, HALT_EXPIRES_MS);
  } finally {
    trace?.end({ failed });
  }
}

/** The span of a step, which links to the call: hours may lie between them. */
async function traced(
  { pool, tracing }: Pick<SendingContext, 'pool' | 'tracing'>,
  operationId: Id<'operation'>,
  step: StepName,
): Promise<TraceSpan | undefined> {
  const asked = tracing && (await traceOf(pool, operationId));
  return asked
    ? tracing.follow(`operation.${step}`, asked, { 'redrive.operation.id': showId('operation', operationId) })
    : undefined;
}

/** A row that another one excludes may be the other side of a race that is over when it is looked at again. */
async function againAfterRace(run: () => Promise<Progress>): Promise<Progress> {
  try {
    return await run();
  } catch (error) {
    if (codeOf(error) !== UNIQUE_VIOLATION) throw error;
    return run();
  }
}

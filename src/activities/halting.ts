import { CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { HALT_EXPIRES_MS, haltAfter, type StepName } from '../operations/halt-operation.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { isOutage } from '../store/db/outage.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { Progress } from './operation-activities.ts';
import { haltedProgress } from './progress.ts';

/** May be the other side of a race that is over when it is looked at again. */
const UNIQUE_VIOLATION = '23505';

/** A command came while the step was failing: it is looked at again soon, and does what was asked for. */
const LOOK_AGAIN: Progress['step'] = { do: 'wait', ms: 200, until: 'sent' };

/**
 * Runs a step of an operation. An error that says that something is away goes on to Temporal, which tries the step
 * again; any other halts the operation, because the same step would fail again for ever.
 */
export async function halting(
  context: Pick<SendingContext, 'pool' | 'log' | 'metrics'>,
  operationId: Id<'operation'>,
  step: StepName,
  run: () => Promise<Progress>,
): Promise<Progress> {
  try {
    return await againAfterRace(run);
  } catch (error) {
    if (error instanceof CancelledFailure || error instanceof CompleteAsyncError || isOutage(error))
      throw error;
    const failed = { step, code: errorCode(error) };
    const stuck = await haltAfter(context, operationId, failed);
    if (!stuck || stuck.became === 'ended')
      return { step: { do: 'end' }, state: stuck?.found ?? 'cancelled', details: 'It has ended.' };
    if (stuck.became === 'overtaken')
      return { step: LOOK_AGAIN, state: stuck.found, details: 'It is looked at again: a command has come.' };
    return haltedProgress(operationId, failed, HALT_EXPIRES_MS);
  }
}

async function againAfterRace(run: () => Promise<Progress>): Promise<Progress> {
  try {
    return await run();
  } catch (error) {
    if (errorCode(error) !== UNIQUE_VIOLATION) throw error;
    return run();
  }
}

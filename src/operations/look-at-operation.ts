import { DESCRIBED_ENDPOINTS } from '../domain/operations/describe-progress.ts';
import { type NextStep, nextStep } from '../domain/operations/next-step.ts';
import type { Operation } from '../domain/operations/operation.ts';
import { isWatched } from '../domain/operations/watch.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { isOutage } from '../store/db/outage.ts';
import { type FactsAndJoined, operationFacts, writeNextEvent } from '../store/operations/operation-facts.ts';
import { showRunning } from '../store/operations/operation-states.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { unsentEndpoints } from '../store/operations/unsent-endpoints.ts';
import { errorCode } from '../telemetry/error-code.ts';
import { cancelWhenExpired } from './cancel-unasked.ts';
import { endPatience } from './end-patience.ts';
import { settleExpiredClaims } from './settle-expired.ts';
import { watchOperation } from './watch-operation.ts';

/** An operation as it was looked at, and its next step; no facts where there is no such operation. */
export interface Looked {
  step: NextStep;
  facts?: FactsAndJoined;
  /** Endpoints that it has something unsent for: one more at most than a description names. */
  unsentFor: Id<'endpoint'>[];
}

/** How long a step that is not a wait may take before somebody asks after it. */
const STEP_MS = 30_000;

/** Looks at an operation, does all that is due for it, and writes down its next step. */
export async function lookAtOperation(
  context: Pick<SendingContext, 'pool' | 'log' | 'metrics'>,
  operationId: Id<'operation'>,
): Promise<Looked> {
  const { pool } = context;
  await settleOthers(context);
  await showRunning(pool, operationId);
  await endPatience(pool, operationId);
  // Before the facts: a command committed in between must not pass for one that this look has seen.
  const operation = await loadOperation(pool, operationId);
  if (operation && mayExpire(operation) && (await cancelWhenExpired(context, operationId)))
    return lookAtOperation(context, operationId);
  if (operation && isWatched(operation.options)) await watchOperation(context, operationId);
  const facts = operation && (await operationFacts(pool, operationId));
  if (!facts) {
    // A run of an operation of another database: two installations share a namespace and a prefix of task queues.
    context.log.warn({ event: 'operation.unknown', operationId: showId('operation', operationId) });
    return { step: { do: 'end' }, unsentFor: [] };
  }
  const step = nextStep(facts);
  if (step.do !== 'end')
    await writeNextEvent(pool, operationId, {
      what: step.do === 'wait' ? step.until : step.do,
      inMs: step.do === 'wait' ? step.ms : STEP_MS,
      seenRevision: operation.controlRevision,
      ...(step.do === 'wait' && step.until === 'joined' && facts.joinedExecutionId
        ? { awaits: facts.joinedExecutionId }
        : {}),
    });
  const unsentFor = step.do === 'end' ? [] : await unsentEndpoints(pool, operation, DESCRIBED_ENDPOINTS + 1);
  return { step, facts, unsentFor };
}

/** Whether it waits for a human: without this check its expiry would be asked for in vain at each look. */
function mayExpire({ control, state }: Operation): boolean {
  return control === 'pause' || state === 'halted' || state === 'planned' || state === 'awaiting_approval';
}

/** Claims that have ended may be anybody's: where they cannot be settled, this operation is not to blame. */
async function settleOthers({ pool, log }: Pick<SendingContext, 'pool' | 'log'>): Promise<void> {
  try {
    await settleExpiredClaims(pool);
  } catch (error) {
    if (isOutage(error)) throw error;
    log.error({ event: 'claims.settle.failed', code: errorCode(error) });
  }
}

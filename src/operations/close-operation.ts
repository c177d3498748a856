import { nextStep } from '../domain/operations/next-step.ts';
import { closingState } from '../domain/operations/operation-counts.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { withTransaction } from '../store/db/pool.ts';
import { cancelUnsent } from '../store/operations/cancelling.ts';
import { closeOperation } from '../store/operations/closing.ts';
import { operationFacts } from '../store/operations/operation-facts.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { selectAgain } from './freeze-explicit.ts';
import { logClosed } from './operation-log.ts';

const CANCEL_BATCH = 2_000;
const REOPEN_BATCH = 2_000;

/**
 * Brings an operation to its end as far as it can come now: cancels unsent items where that is asked for, selects again
 * deliveries that it joined and others then cancelled, and closes it where nothing is left to wait for.
 */
export async function bringToEnd(
  { pool, log }: Pick<SendingContext, 'pool' | 'log'>,
  operationId: Id<'operation'>,
  stop: AbortSignal,
): Promise<void> {
  const operation = await loadOperation(pool, operationId);
  if (!operation) return;
  if (operation.control === 'cancel') {
    while (
      !stop.aborted &&
      (await withTransaction(pool, (db) => cancelUnsent(db, operationId, CANCEL_BATCH))) > 0
    );
  } else {
    const reopened = await withTransaction(pool, (db) => selectAgain(db, operation, REOPEN_BATCH));
    if (reopened > 0) return;
  }
  const facts = await operationFacts(pool, operationId);
  if (!facts || nextStep(facts).do !== 'close') return;
  const result = await withTransaction(pool, async (db) => {
    const written = await closeOperation(db, operationId, closingState);
    crashPoint('closing');
    return written;
  });
  crashPoint('closed');
  if (!result.closed && result.why === 'counts_disagree') throw new CountsDisagree();
  const ended = result.closed ? await loadOperation(pool, operationId) : undefined;
  if (ended) logClosed(log, ended);
}

/** The ledger and the counts of an operation differ: it is not closed, and halts until somebody has looked. */
class CountsDisagree extends Error {
  readonly code = 'counts_disagree';
}

import { nextStep } from '../domain/operations/next-step.ts';
import type { Operation } from '../domain/operations/operation.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { endHashed, freezeAndMaybeEnd } from '../proof/end-operation.ts';
import { hashLines } from '../proof/hash-ledger.ts';
import type { ReportSigner } from '../proof/report-signer.ts';
import { sealActsOf } from '../proof/seal-acts.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { cancelUnsent } from '../store/operations/cancelling.ts';
import { operationFacts } from '../store/operations/operation-facts.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { selectAgain } from './freeze-explicit.ts';
import { logClosed } from './operation-log.ts';

const CANCEL_BATCH = 2_000;
const REOPEN_BATCH = 2_000;

/** A step that hashes returns after this time; the workflow begins another, which goes on. */
const HASHING_BUDGET_MS = 60_000;

/** The parts that closing an operation takes. */
export interface ClosingContext {
  sending: Pick<SendingContext, 'pool' | 'log' | 'liveTraffic'>;
  signer: ReportSigner;
}

/**
 * Brings an operation to its end as far as it can come now: cancels unsent items where that is asked for, selects again
 * deliveries that it joined and others then cancelled, and where nothing is left to wait for freezes its counts, hashes
 * its lines, signs its report and closes it. Each of these goes on where it was left.
 */
export async function bringToEnd(
  context: ClosingContext,
  operationId: Id<'operation'>,
  stop: AbortSignal,
): Promise<void> {
  const { pool, log } = context.sending;
  const operation = await loadOperation(pool, operationId);
  if (!operation || operation.closedAt) return;
  const closed = operation.report
    ? await hashAndSign(context, operation, stop)
    : await closeAfresh(context, operation, stop);
  const ended = closed ? await loadOperation(pool, operationId) : undefined;
  if (ended) logClosed(log, ended);
}

async function closeAfresh(
  context: ClosingContext,
  operation: Operation,
  stop: AbortSignal,
): Promise<boolean> {
  const { pool } = context.sending;
  const { id } = operation;
  if (operation.control === 'cancel') await cancelAll(pool, id, stop);
  else if ((await withTransaction(pool, (tx) => selectAgain(tx, operation, REOPEN_BATCH))) > 0) return false;
  const facts = await operationFacts(pool, id);
  if (!facts || nextStep(facts).do !== 'close') return false;
  await sealActsOf(pool, operation, stop);
  const frozen = await withTransaction(pool, (tx) => freezeAndMaybeEnd(tx, context.signer, id));
  if (frozen.became === 'refused' && frozen.why === 'counts_disagree') throw new CountsDisagree();
  if (frozen.became === 'refused' || frozen.became === 'closed_already') return false;
  if (frozen.became === 'closed') {
    crashPoint('closed');
    return true;
  }
  crashPoint('frozen');
  return hashAndSign(context, operation, stop);
}

/** Cancels all that is unsent; what it kept waiting for its order goes on. */
async function cancelAll(pool: Pool, id: Id<'operation'>, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const cancelled = await withTransaction(pool, (tx) => cancelUnsent(tx, id, CANCEL_BATCH));
    if (cancelled.length === 0) return;
    await dueNext(pool, cancelled);
    crashPoint('cancelling');
  }
}

/** Hashes what is left of the lines and signs the report; false where it was stopped before, or somebody else did it. */
async function hashAndSign(
  { sending: { pool, liveTraffic }, signer }: ClosingContext,
  operation: Operation,
  stop: AbortSignal,
): Promise<boolean> {
  if (stop.aborted) return false;
  let beganMs = performance.now();
  const until = beganMs + HASHING_BUDGET_MS;
  // Beside live traffic it works and rests in turn, and nothing is read meanwhile.
  for await (const _chunk of hashLines(pool, operation.id, { ahead: () => !liveTraffic.flows })) {
    crashPoint('hashed');
    if (liveTraffic.flows) await liveTraffic.rest(beganMs, stop);
    beganMs = performance.now();
    if (stop.aborted || beganMs > until) return false;
  }
  await sealActsOf(pool, operation, stop);
  const closed = await withTransaction(pool, (tx) => endHashed(tx, signer, operation.id));
  if (closed) crashPoint('closed');
  return closed;
}

/** The ledger and the counts of an operation differ: it is not closed, and halts until somebody has looked. */
class CountsDisagree extends Error {
  readonly code = 'counts_disagree';
}

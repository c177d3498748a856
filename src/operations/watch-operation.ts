import { failsTooMuch, type Halt, judgeCanary, rampedRate } from '../domain/operations/watch.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { canaryFacts, endCanaries, heldAlone } from '../store/operations/canaries.ts';
import { haltOperation } from '../store/operations/operation-states.ts';
import { lockWatched, moveRamp } from '../store/operations/operation-watch.ts';
import { HALT_EXPIRES_MS, noteHalt, tellHalt } from './halt-operation.ts';

/**
 * Judges a watched operation by its attempts so far: ends canaries, doubles the rate of a ramp, and halts an operation
 * that fails too much. Does nothing where another worker judges it.
 */
export async function watchOperation(
  context: Pick<SendingContext, 'pool' | 'log' | 'metrics'>,
  operationId: Id<'operation'>,
): Promise<void> {
  const halted = await withTransaction(context.pool, (db) => judge(db, operationId));
  if (halted) tellHalt(context, { id: operationId, tenantId: halted.tenantId }, halted.halt);
}

/** Judges it under a lock; returns the halt that this has made. */
async function judge(
  tx: Transaction,
  operationId: Id<'operation'>,
): Promise<{ tenantId: Id<'tenant'>; halt: Halt } | undefined> {
  const watched = await lockWatched(tx, operationId);
  if (!watched) return undefined;
  const { tenantId, options, lastMinute, span, spanMs, ratePerSecond } = watched;
  const { canary, ramp, haltAtFailurePercent } = options;
  const halt =
    haltAtFailurePercent !== undefined && failsTooMuch(lastMinute, haltAtFailurePercent)
      ? { reason: 'failure_rate' as const, limitPercent: haltAtFailurePercent, ...lastMinute }
      : canary && (await judgeCanaries(tx, operationId, canary));
  if (halt) {
    if (!(await haltOperation(tx, operationId, halt, HALT_EXPIRES_MS))) return undefined;
    await noteHalt(tx, { id: operationId, tenantId }, halt);
    return { tenantId, halt };
  }
  if (ramp && ratePerSecond !== undefined && spanMs >= ramp.everySeconds * 1_000)
    await moveRamp(tx, operationId, rampedRate(ratePerSecond, span, options));
  return undefined;
}

async function judgeCanaries(
  tx: Transaction,
  operationId: Id<'operation'>,
  canary: Parameters<typeof judgeCanary>[1],
): Promise<Halt | undefined> {
  const ended = (await canaryFacts(tx, operationId)).flatMap((facts) => {
    const state = judgeCanary(facts, canary);
    return state === 'testing' ? [] : [{ endpointId: facts.endpointId, state }];
  });
  if (ended.length > 0) await endCanaries(tx, operationId, ended);
  const endpoints = await heldAlone(tx, operationId);
  return endpoints.length === 0
    ? undefined
    : { reason: 'canary', limitPercent: canary.maxFailurePercent, endpoints };
}

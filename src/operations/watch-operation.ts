import type { Pool } from 'pg';
import { failsTooMuch, type Halt, judgeCanary, rampedRate } from '../domain/operations/watch.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Queryable } from '../store/db/queryable.ts';
import { canaryFacts, endCanaries, heldAlone } from '../store/operations/canaries.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { haltOperation, lockWatched, moveRamp } from '../store/operations/operation-watch.ts';
import { loadOperation } from '../store/operations/operations.ts';
import type { Log } from '../telemetry/log.ts';
import { logControl } from './operation-log.ts';

/** How long a halted operation waits for a human before it cancels what is unsent and closes. */
const HALT_EXPIRES_MS = 7 * 24 * 3_600_000;

/**
 * Judges a watched operation by what it has sent so far: ends canaries, doubles the rate of a ramp, and halts what fails
 * too much. Does nothing where another worker is at it.
 */
export async function watchOperation(
  { pool, log }: { pool: Pool; log: Log },
  operationId: string,
): Promise<void> {
  const halted = await withTransaction(pool, async (db) => {
    const watched = await lockWatched(db, operationId);
    if (!watched) return undefined;
    const { options, lastMinute, span, spanMs, ratePerSecond } = watched;
    const { canary, ramp, haltAtFailurePercent } = options;
    const halt =
      haltAtFailurePercent !== undefined && failsTooMuch(lastMinute, haltAtFailurePercent)
        ? { reason: 'failure_rate' as const, limitPercent: haltAtFailurePercent, ...lastMinute }
        : canary && (await judgeCanaries(db, operationId, canary));
    if (halt) {
      if (!(await haltOperation(db, operationId, halt, HALT_EXPIRES_MS))) return undefined;
      await noteControl(db, operationId, { did: 'halt', actor: ITSELF, halt });
      const operation = await loadOperation(db, operationId);
      return operation && { operation, halt };
    }
    if (ramp && ratePerSecond !== undefined && spanMs >= ramp.everySeconds * 1_000)
      await moveRamp(db, operationId, rampedRate(ratePerSecond, span, options));
    return undefined;
  });
  if (halted) logControl(log, halted.operation, { did: 'halt', halt: halted.halt }, { actor: ITSELF });
}

async function judgeCanaries(
  db: Queryable,
  operationId: string,
  canary: Parameters<typeof judgeCanary>[1],
): Promise<Halt | undefined> {
  const ended = (await canaryFacts(db, operationId)).flatMap((facts) => {
    const state = judgeCanary(facts, canary);
    return state === 'testing' ? [] : [{ endpointId: facts.endpointId, state }];
  });
  if (ended.length > 0) await endCanaries(db, operationId, ended);
  const endpoints = await heldAlone(db, operationId);
  return endpoints.length === 0
    ? undefined
    : { reason: 'canary', limitPercent: canary.maxFailurePercent, endpoints };
}

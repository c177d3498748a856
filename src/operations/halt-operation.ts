import type { Operation } from '../domain/operations/operation.ts';
import type { Halt } from '../domain/operations/watch.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { announce } from '../store/announcements/announce.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { haltStuck, type Stuck } from '../store/operations/operation-states.ts';
import { haltEvidence, logControl } from './operation-log.ts';

/** How long a halted operation waits for a human before it cancels its unsent items and closes. */
export const HALT_EXPIRES_MS = 7 * 24 * 3_600_000;

/** Steps of an operation, as its halt names them; `record` is a part of `dispatch` that does not end by its failure. */
export type StepName = 'look' | 'select' | 'dispatch' | 'record' | 'close' | 'cancel';

/**
 * Halts an operation of which a step has failed for a reason that stays: the halt is committed, counted and logged,
 * once. Returns what became of the operation.
 */
export async function haltAfter(
  context: Pick<SendingContext, 'pool' | 'log' | 'metrics'>,
  operationId: Id<'operation'>,
  failed: { step: StepName; code: string },
): Promise<Stuck | undefined> {
  const halt = { reason: 'failed_step', ...failed } as const;
  const stuck = await withTransaction(context.pool, async (db) => {
    const found = await haltStuck(db, operationId, halt, {
      waitsMs: HALT_EXPIRES_MS,
      looking: failed.step === 'look',
    });
    if (found?.became === 'halted') await noteHalt(db, { id: operationId, tenantId: found.tenantId }, halt);
    return found;
  });
  if (stuck?.became === 'halted') tellHalt(context, { id: operationId, tenantId: stuck.tenantId }, halt);
  return stuck;
}

/** Enters a halt among the acts on its operation, and has it told, in the transaction that halts. */
export async function noteHalt(
  tx: Transaction,
  { id, tenantId }: Pick<Operation, 'id' | 'tenantId'>,
  halt: Halt,
): Promise<void> {
  const { number } = await noteControl(tx, id, { did: 'halt', actor: ITSELF, halt });
  await announce(tx, {
    type: 'operation.halted',
    tenantId,
    operationId: id,
    once: number,
    data: { halt: haltEvidence(halt) },
  });
}

/** Counts and logs that an operation was halted. */
export function tellHalt(
  { log, metrics }: Pick<SendingContext, 'log' | 'metrics'>,
  operation: Pick<Operation, 'id' | 'tenantId'>,
  halt: Halt,
): void {
  metrics.operationsHalted.inc({ reason: halt.reason });
  logControl(log, operation, { did: 'halt', halt }, { actor: ITSELF });
}

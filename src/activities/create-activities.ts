import type { Id } from '../domain/tenancy/typed-id.ts';
import { cancelAsInTemporal } from '../operations/cancel-unasked.ts';
import { bringToEnd } from '../operations/close-operation.ts';
import { lookAtOperation } from '../operations/look-at-operation.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import { Selector } from '../operations/select-operation.ts';
import { sendSlice, watchInteractive } from '../operations/send-operation.ts';
import { writeNextEvent } from '../store/operations/operation-facts.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { beating } from './beating.ts';
import { halting } from './halting.ts';
import { LimitsMet } from './limits-met.ts';
import type { OperationActivities } from './operation-activities.ts';
import { progressOf } from './progress.ts';

/** The dependencies that the activities of one worker share. */
export interface ActivityDeps extends OperationContext {
  /** Aborted when this worker stops: slices take nothing more and drain. */
  stopping: AbortSignal;
}

/** Nobody goes on with a selection before Temporal misses it: it is to be missed soon. */
const SELECTION_BEATS_MS = 3_000;
/** How long after a heartbeat a slice that goes on is asked after. */
const SLICE_SEEN_MS = 30_000;

/**
 * Makes the activities of one worker. Every one of them can be run again from the start, and fails in Temporal's sight
 * only where something is away.
 */
export function createActivities(deps: ActivityDeps): OperationActivities {
  const { sending, stopping } = deps;
  const { pool } = sending;
  const context = { ...sending, limits: new LimitsMet() };
  const selector = new Selector(deps);
  const look = async (operationId: Id<'operation'>) =>
    progressOf(await lookAtOperation(sending, operationId));

  return {
    assess: (operationId) => halting(context, operationId, 'look', () => look(operationId)),

    select: (operationId) =>
      halting(context, operationId, 'select', async (trace) => {
        await beating(stopping, (stop) => selector.select(operationId, stop, trace), {
          everyMs: SELECTION_BEATS_MS,
        });
        return look(operationId);
      }),

    dispatchSlice: (operationId) =>
      halting(context, operationId, 'dispatch', async (trace) => {
        const operation = await loadOperation(pool, operationId);
        if (operation?.interactive)
          await beating(stopping, (stop) => watchInteractive(sending, operationId, stop));
        else if (operation)
          await beating(stopping, (stop) => sendSlice(deps, operationId, stop, trace), {
            eachBeat: () => writeNextEvent(pool, operationId, { what: 'dispatch', inMs: SLICE_SEEN_MS }),
          });
        return look(operationId);
      }),

    close: (operationId) =>
      halting(context, operationId, 'close', async () => {
        await beating(stopping, (stop) => bringToEnd(deps, operationId, stop));
        return look(operationId);
      }),

    async cancelOperation(operationId) {
      await halting(context, operationId, 'cancel', async () => {
        await cancelAsInTemporal(sending, operationId);
        return look(operationId);
      });
    },
  };
}

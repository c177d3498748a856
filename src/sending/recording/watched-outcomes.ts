import type { Classification } from '../../domain/sending/classification.ts';
import { WAY_OUT_FAULT } from '../../domain/sending/fault-code.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { giveBackCanaries } from '../../store/operations/canaries.ts';
import type { addPulses } from '../../store/operations/operation-watch.ts';

/** The part of an outcome that a watched operation is judged by. */
export interface WatchedOutcome {
  endpointId: Id<'endpoint'>;
  operationId?: Id<'operation'>;
  classification: Classification;
  /** Present where its operation is watched: whether it was the item's first attempt that was the receiver's. */
  watched?: { first: boolean };
}

/** The items of operations that are watched which our own way out kept back: their canaries have not had them. */
export function keptBackOf(
  batch: readonly WatchedOutcome[],
): Map<Id<'operation'>, Parameters<typeof giveBackCanaries>[2]> {
  const byOperation = new Map<Id<'operation'>, { endpointId: Id<'endpoint'>; count: number }[]>();
  for (const { operationId, endpointId, watched, classification } of batch) {
    if (!operationId || !watched || classification.faultCode !== WAY_OUT_FAULT) continue;
    const keptBack = byOperation.get(operationId) ?? [];
    byOperation.set(operationId, keptBack);
    const same = keptBack.find((each) => each.endpointId === endpointId);
    if (same) same.count += 1;
    else keptBack.push({ endpointId, count: 1 });
  }
  return byOperation;
}

/** The counts of a batch for operations that are watched. */
export function pulsesOf(batch: readonly WatchedOutcome[]): Parameters<typeof addPulses>[1] {
  const pulses = new Map<Id<'operation'>, Parameters<typeof addPulses>[1][number]>();
  for (const { operationId, watched, classification } of batch) {
    if (!operationId || !watched || classification.outcome === 'released') continue;
    if (classification.faultCode === WAY_OUT_FAULT) continue;
    const pulse = pulses.get(operationId) ?? {
      operationId,
      attempts: 0,
      bad: 0,
      firstAttempts: 0,
      firstBad: 0,
    };
    const bad = classification.outcome === 'delivered' ? 0 : 1;
    pulse.attempts += 1;
    pulse.bad += bad;
    pulse.firstAttempts += watched.first ? 1 : 0;
    pulse.firstBad += watched.first ? bad : 0;
    pulses.set(operationId, pulse);
  }
  return [...pulses.values()];
}

import { isGood, NOTHING_TOLD, type ToldAttempts, withAttempt } from '../../domain/outages/attempts-told.ts';
import { type HealthSigns, signOf } from '../../domain/sending/endpoint-health.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Recorded } from '../../store/settling/outcomes.ts';
import type { EndpointMemory } from '../endpoint-memory.ts';
import type { PendingOutcome } from './pending-outcome.ts';

/** How long the endpoints of a batch asked to be left alone, the longest of each. */
export function floorsOf(batch: readonly PendingOutcome[]): Map<Id<'endpoint'>, number> {
  const floors = new Map<Id<'endpoint'>, number>();
  for (const { endpointId, classification } of batch) {
    const { retryAfterMs } = classification;
    if (retryAfterMs !== undefined)
      floors.set(endpointId, Math.max(retryAfterMs, floors.get(endpointId) ?? 0));
  }
  return floors;
}

/** Endpoints that said that they are gone, to something else than a test. */
export function goneOf(batch: readonly PendingOutcome[]): Id<'endpoint'>[] {
  const gone = batch.filter(({ classification, test }) => classification.outcome === 'gone' && !test);
  return [...new Set(gone.map(({ endpointId }) => endpointId))];
}

/** The concurrency slots that a batch frees, by claim: how many at each endpoint and operation. */
export function slotsOf(batch: readonly PendingOutcome[]): Map<string, Map<string, number>> {
  const slots = new Map<string, Map<string, number>>();
  for (const { token, slotted, endpointId, operationId } of batch) {
    if (!slotted) continue;
    const own = slots.get(token) ?? new Map<string, number>();
    slots.set(token, own);
    for (const id of [endpointId, operationId]) if (id) own.set(id, (own.get(id) ?? 0) + 1);
  }
  return slots;
}

/** Deliveries that a receiver took although their lease had ended: its answer counts like an acknowledgement. */
export function lateSuccesses(
  batch: readonly PendingOutcome[],
  recorded: ReadonlyMap<Id<'execution'>, Recorded>,
): Id<'delivery'>[] {
  return batch
    .filter(
      ({ executionId, classification }) =>
        classification.outcome === 'delivered' && !recorded.has(executionId),
    )
    .map(({ deliveryId }) => deliveryId);
}

/**
 * The signs of a batch, by endpoint. An endpoint without restrictions and without a bad sign is left out; one whose
 * sends were granted by its pace may have restrictions.
 */
export function signsOf(batch: readonly PendingOutcome[]): Map<Id<'endpoint'>, HealthSigns> {
  const attempted = batch
    .filter(({ classification }) => classification.outcome !== 'released')
    .map((outcome) => ({ ...outcome, said: signOf(outcome.classification) }))
    // The answer to a test shows that somebody is there; that there is none says nothing that others would wait for.
    .filter(({ test, said }) => !test || !(said.has('overloaded') || said.has('down')));
  const telling = new Set(
    attempted
      .filter(({ slotted, said }) => slotted || said.has('overloaded') || said.has('down'))
      .map(({ endpointId }) => endpointId),
  );
  const signs = new Map<Id<'endpoint'>, HealthSigns>();
  for (const { endpointId, said, inFlight } of attempted) {
    if (!telling.has(endpointId)) continue;
    const sum = signs.get(endpointId) ?? { overloaded: 0, down: 0, alive: 0, inFlight: 0 };
    for (const sign of said) sum[sign] += 1;
    sum.inFlight = Math.max(sum.inFlight, inFlight);
    signs.set(endpointId, sum);
  }
  return signs;
}

/**
 * What the ledger is told of a batch, by endpoint. One is left out whose last attempt was delivered, of which the ledger
 * has no misses, and which has no outage: nothing is written of a healthy endpoint.
 */
export function toldOf(
  batch: readonly PendingOutcome[],
  memory: EndpointMemory,
  nowMs: number,
): Map<Id<'endpoint'>, ToldAttempts> {
  const told = new Map<Id<'endpoint'>, ToldAttempts>();
  for (const { endpointId, classification, beganMs, test } of batch) {
    const good = test ? undefined : isGood(classification);
    if (good !== undefined)
      told.set(endpointId, withAttempt(told.get(endpointId) ?? NOTHING_TOLD, good, nowMs - beganMs));
  }
  for (const [endpointId, { trailing }] of told) {
    const signs = memory.of(endpointId);
    if (trailing === 0 && !signs.missed && !signs.out) told.delete(endpointId);
    signs.missed = trailing > 0;
  }
  return told;
}

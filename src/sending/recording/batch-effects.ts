import type { OutageCause, OutageChange } from '../../domain/outages/outage-state.ts';
import type { HealthSigns } from '../../domain/sending/endpoint-health.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { giveBackCanaries } from '../../store/operations/canaries.ts';
import { ITSELF } from '../../store/operations/operation-controls.ts';
import { addPulses } from '../../store/operations/operation-watch.ts';
import { openOutage } from '../../store/outages/outage-states.ts';
import { tellAttempts } from '../../store/outages/told-attempts.ts';
import { type CircuitChange, reactToSigns } from '../../store/sending/endpoint-health.ts';
import { forgetSlots, freeSlots, raiseFloors } from '../../store/sending/pacing.ts';
import { acknowledge } from '../../store/settling/acknowledgements.ts';
import { endClaims } from '../../store/settling/outcomes.ts';
import { disableGone } from '../../store/settling/settlement.ts';
import { logOutage } from '../../telemetry/outage-log.ts';
import type { SendingContext } from '../sending-context.ts';
import { floorsOf, goneOf, signsOf, slotsOf, toldOf } from './batch-signs.ts';
import type { OpenClaim, PendingOutcome } from './pending-outcome.ts';
import { keptBackOf, pulsesOf } from './watched-outcomes.ts';

/** The parts of the context by which outcomes take effect. */
export type EffectsContext = Pick<SendingContext, 'pool' | 'log' | 'memory' | 'outages'>;

/**
 * Does what follows from outcomes that are in the ledger: at their endpoints, for their operations, and for the claims
 * that have ended with them. Everything here is idempotent or expires by itself, so it stays outside the transaction of
 * the outcomes.
 */
export async function applyEffects(
  context: EffectsContext,
  batch: readonly PendingOutcome[],
  { ended, late }: { ended: readonly OpenClaim[]; late: Id<'delivery'>[] },
): Promise<void> {
  const { pool } = context;
  const floors = floorsOf(batch);
  if (floors.size > 0) await raiseFloors(pool, floors);
  // Before the circuits: an outage begins with the first of the attempts that are told here.
  await tellOutages(context, batch);
  const signs = signsOf(batch);
  if (signs.size > 0) await reactTo(context, signs);
  for (const [operationId, keptBack] of keptBackOf(batch))
    await giveBackCanaries(pool, operationId, keptBack);
  const pulses = pulsesOf(batch);
  if (pulses.length > 0) await addPulses(pool, pulses);
  const gone = goneOf(batch);
  if (gone.length > 0) await disable(context, gone);
  if (late.length > 0) await withTransaction(pool, (tx) => acknowledge(tx, late));
  for (const [token, freed] of slotsOf(batch))
    await freeSlots(
      pool,
      token,
      [...freed].map(([id, count]) => ({ id, count })),
    );
  await end(context, ended);
}

async function tellOutages(context: EffectsContext, batch: readonly PendingOutcome[]): Promise<void> {
  const { pool, memory, outages } = context;
  const nowMs = performance.now();
  const told = toldOf(batch, memory, nowMs);
  if (told.size === 0) return;
  noteOutages(context, await withTransaction(pool, (tx) => tellAttempts(tx, told, outages, nowMs)));
}

/** A circuit that opens opens an outage in the same transaction; one that opens again has one. */
async function reactTo(context: EffectsContext, signs: Map<Id<'endpoint'>, HealthSigns>): Promise<void> {
  const { changes, opened } = await withTransaction(context.pool, async (tx) => {
    const changes = await reactToSigns(tx, signs);
    const down = changes.flatMap((change) =>
      change.now === 'open' && change.openings === 1 ? [change.endpointId] : [],
    );
    return { changes, opened: await openOutages(tx, context, down, 'circuit_open') };
  });
  logCircuits(context, changes);
  noteOutages(context, opened);
}

async function disable(context: EffectsContext, endpointIds: Id<'endpoint'>[]): Promise<void> {
  const { gone, opened } = await withTransaction(context.pool, async (tx) => {
    const gone = await disableGone(tx, endpointIds);
    return { gone, opened: await openOutages(tx, context, gone, 'gone') };
  });
  logGone(context, gone);
  noteOutages(context, opened);
}

async function openOutages(
  tx: Transaction,
  { outages }: EffectsContext,
  endpointIds: Id<'endpoint'>[],
  cause: OutageCause,
): Promise<OutageChange[]> {
  const opened: OutageChange[] = [];
  for (const endpointId of endpointIds.sort()) {
    const change = await openOutage(tx, endpointId, cause, outages);
    if (change) opened.push(change);
  }
  return opened;
}

async function end({ pool }: EffectsContext, claims: readonly OpenClaim[]): Promise<void> {
  if (claims.length === 0) return;
  await endClaims(
    pool,
    claims.map(({ token }) => token),
  );
  const slotted = claims.filter((claim) => claim.slotted).map(({ token }) => token);
  if (slotted.length > 0) await forgetSlots(pool, slotted);
}

function noteOutages({ log, memory }: EffectsContext, changes: OutageChange[]): void {
  for (const change of changes) {
    memory.of(change.endpointId).out = true;
    logOutage(log, change);
  }
}

function logCircuits({ log }: EffectsContext, changes: CircuitChange[]): void {
  for (const { endpointId, now, ...opening } of changes)
    log.info({
      event: now === 'open' ? 'circuit.opened' : 'circuit.closed',
      endpointId: showId('endpoint', endpointId),
      ...opening,
    });
}

function logGone({ log }: EffectsContext, endpointIds: Id<'endpoint'>[]): void {
  for (const id of endpointIds)
    log.info({
      event: 'endpoint.disabled',
      endpointId: showId('endpoint', id),
      reason: 'gone',
      by: ITSELF,
    });
}

import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { allotNumbers, insertEvents } from '../store/ingest/events.ts';
import { insertResends, replaceDeliveries } from '../store/ingest/resends.ts';
import { markTestsAt } from '../store/ingest/test-deliveries.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { type FoundRepeat, findRepeats } from './find-repeats.ts';
import type { MatchedEvent } from './matched-event.ts';

/** The result of an incoming event. */
export interface AcceptedEvent {
  eventId: Id<'event'>;
  number: number;
  /** Deliveries that are queued. */
  deliveries: number;
  /** Endpoints at which it is suppressed: a delivery of the first event with its id stands for it there. */
  suppressed: number;
  /** The first event with the same id. */
  duplicateOf?: Id<'event'>;
}

/**
 * Writes the events of some calls of one tenant in one transaction; returns the results of the events for each call.
 */
export async function writeCalls(
  pool: Pool,
  tenantId: Id<'tenant'>,
  calls: MatchedEvent[][],
): Promise<AcceptedEvent[][]> {
  const { accepted, replaced } = await withTransaction(pool, (db) => write(db, tenantId, calls));
  // A repeat under another key has no place in the order of the first. The events are accepted, whatever becomes of this.
  await dueNext(pool, replaced).catch(() => false);
  return accepted;
}

/**
 * The same within a transaction: the events are accepted once it commits. For events that Redrive makes, whose ids never
 * come again: nothing is woken that waited behind what they replace.
 */
export async function writeCallsIn(
  db: Transaction,
  tenantId: Id<'tenant'>,
  calls: MatchedEvent[][],
): Promise<AcceptedEvent[][]> {
  return (await write(db, tenantId, calls)).accepted;
}

async function write(
  db: Transaction,
  tenantId: Id<'tenant'>,
  calls: MatchedEvent[][],
): Promise<{ accepted: AcceptedEvent[][]; replaced: Id<'delivery'>[] }> {
  const incoming = calls.flat();
  const allotted = await allotNumbers(db, tenantId, { events: incoming.length, calls: calls.length });
  const repeats = await findRepeats(db, tenantId, incoming, allotted);
  const callIds = calls.flatMap((call, index) => call.map(() => allotted.callIds[index] as string));
  const events = incoming.map((event, index) => ({
    ...event,
    id: allotted.eventIds[index] as Id<'event'>,
    callId: callIds[index] as string,
    duplicateOf: repeats[index]?.duplicateOf,
    keepsPayload: repeats[index]?.keepsPayload ?? true,
    repeat: repeats[index],
  }));
  await insertEvents(db, tenantId, allotted, events, events.flatMap(deliveriesOf));
  await markTests(db, events);
  const replaced = await noteResends(db, tenantId, events);
  const accepted = events.map(({ id, repeat, endpoints }, index) => ({
    eventId: id,
    number: allotted.firstNumber + index,
    deliveries: endpoints.filter(({ endpointId, enabled }) => enabled && !repeat?.suppressed.has(endpointId))
      .length,
    suppressed: repeat?.suppressed.size ?? 0,
    ...(repeat ? { duplicateOf: repeat.duplicateOf } : {}),
  }));
  return { accepted: calls.map((call) => accepted.splice(0, call.length)), replaced };
}

type RepeatedEvent = MatchedEvent & { id: Id<'event'>; repeat: FoundRepeat | undefined };

function deliveriesOf({ id, endpoints, payloadBytes, repeat }: RepeatedEvent) {
  return endpoints.map(({ endpointId, enabled, giveUpAfterMs, ordered }) => ({
    eventId: id,
    endpointId,
    payloadBytes,
    giveUpAfterMs,
    ordered,
    place: repeat?.places.get(endpointId),
    ignoredFor: repeat?.suppressed.has(endpointId)
      ? ('suppressed_duplicate' as const)
      : enabled
        ? undefined
        : ('endpoint_disabled' as const),
  }));
}

/** What goes to a listener says nothing about the tenant's endpoints: no outage and no circuit comes of it. */
async function markTests(db: Transaction, events: RepeatedEvent[]): Promise<void> {
  const listening = events.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ endpointId, listens }) => (listens ? [endpointId] : [])),
  );
  if (listening.length === 0) return;
  const ids = events.map(({ id }) => id);
  await markTestsAt(db, ids, [...new Set(listening)]);
}

/** Returns the deliveries that others stand for from now on. */
async function noteResends(
  db: Transaction,
  tenantId: Id<'tenant'>,
  events: RepeatedEvent[],
): Promise<Id<'delivery'>[]> {
  const resends = events.flatMap(({ id, repeat }) =>
    repeat?.keepsPayload ? [{ firstEventId: repeat.duplicateOf, eventId: id }] : [],
  );
  if (resends.length === 0) return [];
  await insertResends(db, resends);
  const replacements = events.flatMap(
    ({ id, repeat }) => repeat?.replaces.map((replaced) => ({ ...replaced, byEventId: id })) ?? [],
  );
  return replacements.length === 0 ? [] : replaceDeliveries(db, tenantId, replacements);
}

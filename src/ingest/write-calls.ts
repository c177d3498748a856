import type { Pool } from 'pg';
import { withTransaction } from '../store/db/pool.ts';
import type { Queryable } from '../store/db/queryable.ts';
import { allotNumbers, claimIdentities, insertEvents } from '../store/ingest/events.ts';
import type { Matchable } from '../store/tenancy/endpoint-versions.ts';

/** An event as it came in, checked. */
export interface IncomingEvent {
  externalId?: string | undefined;
  type: string;
  source?: string | undefined;
  key?: string | undefined;
  occurredAt?: Date | undefined;
  ingestionBatchId?: string | undefined;
  /** Exactly as it was sent. */
  body: string;
  payloadBytes: number;
  /** The body parsed, to match filters with. */
  payload: unknown;
}

/** An incoming event with the endpoints that want it. */
export type MatchedEvent = IncomingEvent & { endpoints: Matchable[] };

/** What became of an incoming event. */
export interface AcceptedEvent {
  eventId: string;
  number: number;
  /** Deliveries that are queued. */
  deliveries: number;
  /** The first event with the same external id: nothing of this one is sent. */
  duplicateOf?: string;
}

/** Writes the events of some calls of one tenant in one transaction; for each call, what became of its events. */
export function writeCalls(
  pool: Pool,
  tenantId: string,
  calls: MatchedEvent[][],
): Promise<AcceptedEvent[][]> {
  return withTransaction(pool, (db) => writeCallsIn(db, tenantId, calls));
}

/** The same within a transaction: what is written is accepted once that commits. */
export async function writeCallsIn(
  db: Queryable,
  tenantId: string,
  calls: MatchedEvent[][],
): Promise<AcceptedEvent[][]> {
  const incoming = calls.flat();
  const allotted = await allotNumbers(db, tenantId, { events: incoming.length, calls: calls.length });
  const duplicateOf = await findDuplicates(db, tenantId, incoming, allotted.eventIds);
  const callIds = calls.flatMap((call, index) => call.map(() => allotted.callIds[index] as string));
  const events = incoming.map((event, index) => ({
    ...event,
    id: allotted.eventIds[index] as string,
    callId: callIds[index] as string,
    duplicateOf: duplicateOf[index],
  }));
  await insertEvents(db, tenantId, allotted, events, events.flatMap(deliveriesOf));
  const accepted = events.map(({ id, duplicateOf: first, endpoints }, index) => ({
    eventId: id,
    number: allotted.firstNumber + index,
    deliveries: first ? 0 : endpoints.filter(({ enabled }) => enabled).length,
    ...(first ? { duplicateOf: first } : {}),
  }));
  return calls.map((call) => accepted.splice(0, call.length));
}

function deliveriesOf(event: MatchedEvent & { id: string; duplicateOf: string | undefined }) {
  return event.endpoints.map(({ endpointId, enabled, giveUpAfterMs, ordered }) => ({
    eventId: event.id,
    endpointId,
    payloadBytes: event.payloadBytes,
    giveUpAfterMs,
    ordered,
    ignoredFor: event.duplicateOf
      ? ('suppressed_duplicate' as const)
      : enabled
        ? undefined
        : ('endpoint_disabled' as const),
  }));
}

/** For each event the first one with its external id, from an earlier call or from earlier in these. */
async function findDuplicates(
  db: Queryable,
  tenantId: string,
  incoming: readonly IncomingEvent[],
  eventIds: readonly string[],
): Promise<(string | undefined)[]> {
  const first = new Map<string, string>();
  for (const [index, { externalId }] of incoming.entries())
    if (externalId !== undefined && !first.has(externalId)) first.set(externalId, eventIds[index] as string);
  if (first.size === 0) return [];
  const earlier = await claimIdentities(db, tenantId, [...first.keys()], [...first.values()]);
  return incoming.map(({ externalId }, index) => {
    if (externalId === undefined) return undefined;
    const original = earlier.get(externalId) ?? first.get(externalId);
    return original === eventIds[index] ? undefined : original;
  });
}

import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { ofEvents } from '../selection/of-events.ts';

/** One accepted event, without its payload. */
export interface Event {
  id: Id<'event'>;
  number: number;
  externalId?: string;
  duplicateOf?: Id<'event'>;
  type: string;
  source?: string;
  key?: string;
  occurredAt?: Date;
  acceptedAt: Date;
  ingestionBatchId?: string;
  /** The call that brought it: the first deliveries of all its events were dispatched together. */
  ingestCallId: string;
  payloadBytes: number;
  /** False once it has expired or was erased, and for suppressed repeats, which keep none. */
  payloadKept: boolean;
  /** A repeat of which nothing is ever sent. */
  suppressed: boolean;
  /** The newest event of the same id that was accepted after it and stands for it. */
  resentAs?: Id<'event'>;
}

/** One delivery of an event, in short. */
export interface EventDelivery {
  id: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  state: DeliveryState;
}

interface EventRow {
  id: Id<'event'>;
  number: number;
  external_id: string | null;
  duplicate_of: Id<'event'> | null;
  type: string;
  source: string | null;
  key: string | null;
  occurred_at: Date | null;
  accepted_at: Date;
  ingestion_batch_id: string | null;
  ingest_call_id: string;
  payload_bytes: number;
  payload_kept: boolean;
  payload_removed_at: Date | null;
  resent_as: Id<'event'> | null;
}

/** One event of a tenant. */
export async function findEvent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'event'>,
): Promise<Event | undefined> {
  const { rows } = await db.query<EventRow>(
    `select v.*, exists (select from payloads p where p.event_id = v.id and p.tenant_id = $1) as payload_kept,
       (select r.event_id from event_resends r where r.first_event_id = coalesce(v.duplicate_of, v.id) and r.event_id > v.id
         order by r.event_id desc limit 1) as resent_as
     from events v where v.tenant_id = $1 and v.id = $2`,
    [tenantId, id],
  );
  const row = rows[0];
  return (
    row && {
      id: row.id,
      number: row.number,
      ...(row.external_id !== null ? { externalId: row.external_id } : {}),
      ...(row.duplicate_of ? { duplicateOf: row.duplicate_of } : {}),
      type: row.type,
      ...(row.source !== null ? { source: row.source } : {}),
      ...(row.key !== null ? { key: row.key } : {}),
      ...(row.occurred_at ? { occurredAt: row.occurred_at } : {}),
      acceptedAt: row.accepted_at,
      ...(row.ingestion_batch_id !== null ? { ingestionBatchId: row.ingestion_batch_id } : {}),
      ingestCallId: row.ingest_call_id,
      payloadBytes: row.payload_bytes,
      payloadKept: row.payload_kept,
      suppressed: row.duplicate_of !== null && !row.payload_kept && row.payload_removed_at === null,
      ...(row.resent_as ? { resentAs: row.resent_as } : {}),
    }
  );
}

interface EventDeliveryRow {
  id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  state: DeliveryState;
}

/** Deliveries of an event in the order they were made. */
export async function deliveriesOfEvent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  limit: number,
): Promise<EventDelivery[]> {
  const { rows } = await db.query<EventDeliveryRow>(
    `select d.id, d.endpoint_id, d.state from deliveries d
     where ${ofEvents('d', '$2::uuid[]')} and d.tenant_id = $1 order by d.id limit $3`,
    [tenantId, [eventId], limit],
  );
  return rows.map((row) => ({ id: row.id, endpointId: row.endpoint_id, state: row.state }));
}

/** The payload of an event as it was accepted; undefined where it is not kept. */
export async function findPayload(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ body: string }>(
    'select body from payloads where event_id = $2 and tenant_id = $1',
    [tenantId, eventId],
  );
  return rows[0]?.body;
}

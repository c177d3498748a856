import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { TimeBound } from '../../domain/time/instant.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { bound } from '../selection/filter-conditions.ts';
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
  /** The import that brought it. */
  importId?: Id<'import'>;
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
  endpointState: EndpointState;
  state: DeliveryState;
  /** An execution of it is open. */
  open: boolean;
}

/** An event in a list: with the states of its deliveries. */
export interface ListedEvent extends Event {
  /** Acceptance in whole microseconds since 1970, for the cursor: a Date has milliseconds only. */
  acceptedAtMicros: string;
  deliveries: Partial<Record<DeliveryState, number>>;
}

/** Which events of a tenant are listed; members join by AND, the entries of a list by OR. */
export interface EventFilter {
  eventTypes?: string[];
  sources?: string[];
  ingestionBatchIds?: string[];
  key?: string;
  /** Acceptance. */
  from?: TimeBound;
  to?: TimeBound;
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
  import_id: Id<'import'> | null;
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
    `select ${COLUMNS} from events v where v.tenant_id = $1 and v.id = $2`,
    [tenantId, id],
  );
  return rows[0] && eventFrom(rows[0]);
}

/** Events of a tenant that a filter selects, newest first, behind a given one. */
export async function listEvents(
  db: Queryable,
  tenantId: Id<'tenant'>,
  filter: EventFilter,
  page: { after?: { acceptedAtMicros: string; id: Id<'event'> }; limit: number },
): Promise<ListedEvent[]> {
  const p = new Parameters();
  const where = [`v.tenant_id = ${p.add(tenantId)}`];
  if (filter.eventTypes) where.push(`v.type = any(${p.add(filter.eventTypes)})`);
  if (filter.sources) where.push(`v.source = any(${p.add(filter.sources)})`);
  if (filter.ingestionBatchIds) where.push(`v.ingestion_batch_id = any(${p.add(filter.ingestionBatchIds)})`);
  if (filter.key !== undefined) where.push(`v.key = ${p.add(filter.key)}`);
  if (filter.from) where.push(bound('v.accepted_at', '>', filter.from, p));
  if (filter.to) where.push(bound('v.accepted_at', '<', filter.to, p));
  if (page.after)
    where.push(`(v.accepted_at, v.id) < (
      timestamptz 'epoch' + ${p.add(page.after.acceptedAtMicros)}::bigint * interval '1 microsecond',
      ${p.add(page.after.id)}::uuid)`);
  const { rows } = await db.query<ListedRow>(
    `select ${COLUMNS}, (extract(epoch from v.accepted_at) * 1000000)::bigint::text as accepted_at_micros,
       (select jsonb_object_agg(s.state, s.n) from (
         select d.state, count(*)::int as n from deliveries d where d.event_id = v.id group by 1) s) as deliveries
     from events v where ${where.join('\n and ')} order by v.accepted_at desc, v.id desc limit ${p.add(page.limit)}`,
    p.values,
  );
  return rows.map((row) => ({
    ...eventFrom(row),
    acceptedAtMicros: row.accepted_at_micros,
    deliveries: row.deliveries ?? {},
  }));
}

const COLUMNS = `v.*, (select p.event_id from payloads p where p.event_id = v.id and p.tenant_id = v.tenant_id) is not null as payload_kept,
       (select r.event_id from event_resends r where r.first_event_id = coalesce(v.duplicate_of, v.id) and r.event_id > v.id
         order by r.event_id desc limit 1) as resent_as`;

type ListedRow = EventRow & {
  accepted_at_micros: string;
  deliveries: ListedEvent['deliveries'] | null;
};

function eventFrom(row: EventRow): Event {
  return {
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
    ...(row.import_id ? { importId: row.import_id } : {}),
    ingestCallId: row.ingest_call_id,
    payloadBytes: row.payload_bytes,
    payloadKept: row.payload_kept,
    suppressed: row.duplicate_of !== null && !row.payload_kept && row.payload_removed_at === null,
    ...(row.resent_as ? { resentAs: row.resent_as } : {}),
  };
}

interface EventDeliveryRow {
  id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  endpoint_state: EndpointState;
  state: DeliveryState;
  open: boolean;
}

/** Deliveries of an event in the order they were made. */
export async function deliveriesOfEvent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  limit: number,
): Promise<EventDelivery[]> {
  const { rows } = await db.query<EventDeliveryRow>(
    `select d.id, d.endpoint_id, d.state, n.state as endpoint_state,
       (select q.delivery_id from queue q where q.delivery_id = d.id) is not null as open
     from deliveries d join endpoints n on n.id = d.endpoint_id
     where ${ofEvents('d', '$2::uuid[]')} and d.tenant_id = $1 order by d.id limit $3`,
    [tenantId, [eventId], limit],
  );
  return rows.map((row) => ({
    id: row.id,
    endpointId: row.endpoint_id,
    endpointState: row.endpoint_state,
    state: row.state,
    open: row.open,
  }));
}

/** The payload of an event as it was accepted, and the members that an import kept; undefined where it is not kept. */
export async function findPayload(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<{ body: string; importMembers?: string } | undefined> {
  const { rows } = await db.query<{ body: string; import_members: string | null }>(
    'select body, import_members from payloads where event_id = $2 and tenant_id = $1',
    [tenantId, eventId],
  );
  const [row] = rows;
  return (
    row && { body: row.body, ...(row.import_members === null ? {} : { importMembers: row.import_members }) }
  );
}

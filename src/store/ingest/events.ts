import type { Id } from '../../domain/tenancy/typed-id.ts';
import { BeginAgain } from '../db/pool.ts';
import type { Transaction } from '../db/queryable.ts';

/** Numbers, ids and the time of acceptance for events. */
export interface Allotment {
  /** One for each event, in order. */
  eventIds: Id<'event'>[];
  firstNumber: number;
  /** A text of the database: a Date would lose its microseconds. */
  acceptedAt: string;
  /** One for each call that brought some of them. */
  callIds: string[];
}

interface AllotmentRow {
  last_event_number: number;
  accepted_at: string;
  event_ids: Id<'event'>[];
  call_ids: string[];
}

/**
 * Allots numbers to the events of some calls. The tenant's counter stays locked until the transaction ends: this makes
 * the order of numbers the order in which events become visible, and repeats of an external id wait for each other.
 * The ids of events are in the order of their numbers, whatever the server makes of ids of one moment: which of two
 * repeats was first is asked by their ids.
 */
export async function allotNumbers(
  db: Transaction,
  tenantId: Id<'tenant'>,
  { events, calls }: { events: number; calls: number },
): Promise<Allotment> {
  const { rows } = await db.query<AllotmentRow>({
    name: 'allot-numbers',
    text: `update tenant_counters set last_event_number = last_event_number + $2 where tenant_id = $1
     returning last_event_number, clock_timestamp()::text as accepted_at,
      array(select uuidv7() from generate_series(1, $2) order by 1) as event_ids,
      array(select uuidv7() from generate_series(1, $3)) as call_ids`,
    values: [tenantId, events, calls],
  });
  const row = rows[0];
  if (row === undefined) throw new Error('the tenant has no counter of event numbers');
  return {
    eventIds: row.event_ids,
    firstNumber: row.last_event_number - events + 1,
    acceptedAt: row.accepted_at,
    callIds: row.call_ids,
  };
}

/** The fields that make two events the same for their sender. */
export interface EventIdentity {
  externalId: string;
  type: string;
  source?: string | undefined;
}

/**
 * Takes identities, each once, for events; returns for each in turn the event that it belongs to, which may be an
 * earlier one. Runs under the lock of {@link allotNumbers}, so that identities that others take are committed and seen.
 */
export async function claimIdentities(
  db: Transaction,
  tenantId: Id<'tenant'>,
  claims: { identity: EventIdentity; eventId: Id<'event'> }[],
): Promise<Id<'event'>[]> {
  const { rows } = await db.query<{ event_id: Id<'event'> | null }>({
    name: 'claim-identities',
    text: `with wanted as materialized (
      select * from unnest($2::text[], $3::text[], $4::text[], $5::uuid[]) with ordinality
        as u(external_id, type, source, event_id, n)
    ), taken as (
      insert into event_identities (tenant_id, external_id, type, source, event_id)
      select $1, u.external_id, u.type, u.source, u.event_id from wanted u
      on conflict do nothing
      returning external_id, type, source, event_id
    )
    -- A look-up each, whatever the planner thinks of the size of the table. Held, so that the event stays until this is
    -- committed; null where it was removed at this moment.
    select coalesce(t.event_id, (select i.event_id from event_identities i where i.tenant_id = $1
      and i.external_id = u.external_id and i.type = u.type and i.source = u.source for key share)) as event_id
    from wanted u left join taken t using (external_id, type, source)
    order by u.n`,
    values: [
      tenantId,
      claims.map(({ identity }) => identity.externalId),
      claims.map(({ identity }) => identity.type),
      claims.map(({ identity }) => identity.source ?? ''),
      claims.map(({ eventId }) => eventId),
    ],
  });
  return rows.map(({ event_id: eventId }) => {
    if (eventId === null) throw new BeginAgain('an event was removed while it was repeated');
    return eventId;
  });
}

/** One event as it is written. */
export interface NewEvent {
  id: Id<'event'>;
  externalId?: string | undefined;
  /** The first event with the same identity. */
  duplicateOf?: Id<'event'> | undefined;
  /** False for a repeat of which nothing is ever sent. */
  keepsPayload: boolean;
  type: string;
  source?: string | undefined;
  key?: string | undefined;
  occurredAt?: Date | undefined;
  ingestionBatchId?: string | undefined;
  /** The call that brought it. */
  callId: string;
  payloadBytes: number;
  body: string;
}

/** One event for one endpoint; with a reason it is never sent by itself and is kept as ignored. */
export interface NewDelivery {
  eventId: Id<'event'>;
  endpointId: Id<'endpoint'>;
  ignoredFor?: 'endpoint_disabled' | 'suppressed_duplicate' | undefined;
  payloadBytes: number;
  giveUpAfterMs: number;
  /** It has a place in the order of its key: its event's number, or the place given. */
  ordered: boolean;
  place?: number | undefined;
}

/** Writes events with their payloads, deliveries and first executions, in one statement. */
export async function insertEvents(
  db: Transaction,
  tenantId: Id<'tenant'>,
  { firstNumber, acceptedAt }: Pick<Allotment, 'firstNumber' | 'acceptedAt'>,
  events: NewEvent[],
  deliveries: NewDelivery[],
): Promise<void> {
  const kept = events.filter(({ keepsPayload }) => keepsPayload);
  const { rows } = await db.query<{ executions: number }>({
    name: 'insert-events',
    text: `with event as (
      insert into events (id, tenant_id, number, external_id, duplicate_of, type, source, key, occurred_at, accepted_at,
        ingestion_batch_id, ingest_call_id, payload_bytes)
      select u.id, $1, $2::bigint + u.n - 1, u.external_id, u.duplicate_of, u.type, u.source, u.key, u.occurred_at, $3,
        u.ingestion_batch_id, u.call_id, u.payload_bytes
      from unnest($5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::timestamptz[],
        $12::text[], $4::uuid[], $13::int[]) with ordinality
        as u(id, external_id, duplicate_of, type, source, key, occurred_at, ingestion_batch_id, call_id, payload_bytes, n)
      returning id, key, number
    ), payload as (
      insert into payloads (event_id, tenant_id, body)
      select u.event_id, $1, u.body from unnest($14::uuid[], $15::text[]) as u(event_id, body)
    ), wanted as (
      select * from unnest($16::uuid[], $17::uuid[], $18::text[], $19::int[], $20::bigint[], $21::boolean[], $22::bigint[])
        as u(event_id, endpoint_id, ignored_for, payload_bytes, give_up_after_ms, ordered, place)
    ), delivery as (
      insert into deliveries (tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        order_key, order_number)
      select $1, w.event_id, w.endpoint_id, case when w.ignored_for is null then 'pending' else 'ignored' end, $3, $3,
        w.payload_bytes, case when w.ordered then v.key end, case when w.ordered and v.key is not null then coalesce(w.place, v.number) end
      from wanted w join event v on v.id = w.event_id
      returning id, event_id, endpoint_id
    ), run as materialized (
      select uuidv7() as id, d.id as delivery_id, d.endpoint_id, w.ignored_for, case when w.ignored_for is not null then 0 end as none,
        $3::timestamptz + w.give_up_after_ms * interval '1 millisecond' as give_up_at
      from delivery d join wanted w using (event_id, endpoint_id)
    ), execution as (
      insert into execution_records (id, tenant_id, delivery_id, endpoint_id, generation, created_at, outcome, reason,
        finished_at, attempts, lost_attempts, may_have_arrived, due_at, give_up_at)
      select r.id, $1, r.delivery_id, r.endpoint_id, 1, $3, case r.none when 0 then 'ignored' end, r.ignored_for,
        case r.none when 0 then $3::timestamptz end, r.none, r.none, case r.none when 0 then false end,
        case r.none when 0 then $3::timestamptz end, case r.none when 0 then r.give_up_at end
      from run r
      returning id
    ), queued as (
      insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
      select r.delivery_id, r.id, $1, r.endpoint_id, 'queued', $3::timestamptz, r.give_up_at from run r
      where r.ignored_for is null
    )
    select (select count(*)::int from execution) as executions`,
    values: [
      tenantId,
      firstNumber,
      acceptedAt,
      events.map((event) => event.callId),
      events.map((event) => event.id),
      events.map((event) => event.externalId ?? null),
      events.map((event) => event.duplicateOf ?? null),
      events.map((event) => event.type),
      events.map((event) => event.source ?? null),
      events.map((event) => event.key ?? null),
      events.map((event) => event.occurredAt ?? null),
      events.map((event) => event.ingestionBatchId ?? null),
      events.map((event) => event.payloadBytes),
      kept.map((event) => event.id),
      kept.map((event) => event.body),
      deliveries.map((delivery) => delivery.eventId),
      deliveries.map((delivery) => delivery.endpointId),
      deliveries.map((delivery) => delivery.ignoredFor ?? null),
      deliveries.map((delivery) => delivery.payloadBytes),
      deliveries.map((delivery) => delivery.giveUpAfterMs),
      deliveries.map((delivery) => delivery.ordered),
      deliveries.map((delivery) => delivery.place ?? null),
    ],
  });
  if (rows[0]?.executions !== deliveries.length)
    throw new Error('a delivery was written without its execution');
}

import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../store/db/only-row.ts';
import type { Parameters } from '../../../store/db/parameters.ts';
import type { Queryable, Transaction } from '../../../store/db/queryable.ts';
import { allotNumbers } from '../../../store/ingest/events.ts';
import { isCurrent } from '../../../store/tenancy/endpoint-versions.ts';

/** The new event, or why none was made. */
export type RepeatedEvent =
  | { ok: true; eventId: Id<'event'>; queued: number }
  | { ok: false; why: 'unknown' | 'payload_expired' | 'suppressed_duplicate' | 'resent' };

interface OldEventRow {
  duplicate_of: Id<'event'> | null;
  payload_removed_at: Date | null;
  payload_of: Id<'event'> | null;
}

/** The condition, in SQL, that a delivery `d` of an event gets another one where the event is repeated. */
const REPEATED = `d.resent_by is null
        -- A delivery for which an event of the same id stands was never this one's to send.
        and (select e.reason from execution_records e where e.delivery_id = d.id order by e.generation desc limit 1)
          is distinct from 'suppressed_duplicate'`;

/** SQL: the ids of the deliveries that a repeat of an event sends again. */
export function repeatedOf(tenantId: Id<'tenant'>, eventId: Id<'event'>, p: Parameters): string {
  return `select distinct on (d.endpoint_id) d.id from deliveries d
      where d.tenant_id = ${p.add(tenantId)} and d.event_id = ${p.add(eventId)} and ${REPEATED}
        and (select b.event_id from payloads b where b.event_id = d.event_id) is not null
      order by d.endpoint_id, d.id`;
}

/**
 * Accepts an event once more as a new one that names the old, with the same payload and a new first delivery for each
 * endpoint that had one, unless another event stands for it there. Its deliveries have ids of their own, so that
 * receivers take them for new, and at an ordered endpoint the place of the new event's number.
 */
export async function repeatEvent(
  db: Transaction,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<RepeatedEvent> {
  const found = await db.query<OldEventRow>(
    // Held until the end: it cannot expire in between.
    `select v.duplicate_of, v.payload_removed_at, (select b.event_id from payloads b where b.event_id = v.id for share) as payload_of
     from events v where v.tenant_id = $1 and v.id = $2`,
    [tenantId, eventId],
  );
  const event = found.rows[0];
  if (!event) return { ok: false, why: 'unknown' };
  if (!event.payload_of)
    return {
      ok: false,
      why: event.duplicate_of && !event.payload_removed_at ? 'suppressed_duplicate' : 'payload_expired',
    };
  if (await isWhollyResent(db, tenantId, eventId)) return { ok: false, why: 'resent' };
  const allotted = await allotNumbers(db, tenantId, { events: 1, calls: 1 });
  const [id, callId] = [allotted.eventIds[0] as Id<'event'>, allotted.callIds[0] as string];
  const made = await db.query<{ queued: number }>(
    `with event as (
      insert into events (id, tenant_id, number, type, source, key, occurred_at, accepted_at, ingest_call_id,
        payload_bytes, replay_of)
      select $3, v.tenant_id, $4, v.type, v.source, v.key, v.occurred_at, $5, $6, v.payload_bytes, v.id
      from events v where v.tenant_id = $1 and v.id = $2
    ), origin as (
      insert into event_origins (event_id, first_accepted_at) values ($3, first_accepted_at($2))
    ), payload as (
      insert into payloads (event_id, tenant_id, body)
      select $3, b.tenant_id, b.body from payloads b where b.event_id = $2 and b.tenant_id = $1
    ), old as (
      select distinct on (d.endpoint_id) d.id, d.endpoint_id, d.payload_bytes, n.state as endpoint_state,
        case when n.ordered then v.key end as order_key, w.give_up_after_ms
      from deliveries d
      join events v on v.id = d.event_id
      join endpoints n on n.id = d.endpoint_id
      join endpoint_versions w on ${isCurrent('w', 'n')}
      where d.tenant_id = $1 and d.event_id = $2 and ${REPEATED}
      order by d.endpoint_id, d.id
    ), delivery as (
      insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, replay_of, order_key,
        order_number)
      select $1, $3, o.endpoint_id, case o.endpoint_state when 'enabled' then 'pending' else 'ignored' end, $5,
        o.payload_bytes, o.id, o.order_key, case when o.order_key is not null then $4::bigint end
      from old o
      returning id, endpoint_id
    ), run as materialized (
      select uuidv7() as id, d.id as delivery_id, d.endpoint_id,
        case o.endpoint_state when 'disabled' then 'endpoint_disabled' when 'deleted' then 'endpoint_deleted' end as ignored_for,
        case when o.endpoint_state <> 'enabled' then 0 end as none,
        $5::timestamptz + o.give_up_after_ms * interval '1 millisecond' as give_up_at
      from delivery d join old o using (endpoint_id)
    ), execution as (
      insert into execution_records (id, tenant_id, delivery_id, endpoint_id, generation, created_at, outcome, reason,
        finished_at, attempts, lost_attempts, may_have_arrived, due_at, give_up_at)
      select r.id, $1, r.delivery_id, r.endpoint_id, 1, $5, case r.none when 0 then 'ignored' end, r.ignored_for,
        case r.none when 0 then $5::timestamptz end, r.none, r.none, case r.none when 0 then false end,
        case r.none when 0 then $5::timestamptz end, case r.none when 0 then r.give_up_at end
      from run r
    ), queued as (
      insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
      select r.delivery_id, r.id, $1, r.endpoint_id, 'queued', $5::timestamptz, r.give_up_at from run r
      where r.ignored_for is null
      returning state
    )
    select count(*)::int as queued from queued`,
    [tenantId, eventId, id, allotted.firstNumber, allotted.acceptedAt, callId],
  );
  return { ok: true, eventId: id, queued: onlyRow(made).queued };
}

/** Whether another event stands for it at every endpoint that it went to: its sender sent it again. */
async function isWhollyResent(db: Queryable, tenantId: Id<'tenant'>, eventId: Id<'event'>): Promise<boolean> {
  const { rows } = await db.query<{ resent: boolean | null }>(
    `select bool_and(d.resent_by is not null) as resent from deliveries d where d.tenant_id = $1 and d.event_id = $2`,
    [tenantId, eventId],
  );
  return rows[0]?.resent ?? false;
}

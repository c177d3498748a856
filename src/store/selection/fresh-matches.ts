import type { Operation } from '../../domain/operations/operation.ts';
import type { EventSelection, Selection } from '../../domain/operations/selection.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { isFirstOf } from './of-events.ts';
import { eventPage, orderBy, type SelectionCursor } from './selection-page.ts';

/** An event to be matched afresh, with the deliveries it has. */
export interface EventToMatch {
  id: Id<'event'>;
  tenantId: Id<'tenant'>;
  type: string;
  /** When it, or the event that it repeats, was accepted first. */
  acceptedAt: Date;
  /** Undefined where it is not kept, and for suppressed repeats, which keep none. */
  body?: string;
  deliveries: { id: Id<'delivery'>; endpointId: Id<'endpoint'> }[];
  /** Its sender sent it again, and the later event stands for it: no further endpoint gets this one. */
  resent: boolean;
  /** Endpoints that have an event of the same id: that one stands for it there. */
  heldElsewhere: Id<'endpoint'>[];
}

/** A page of events, and where the next one begins; absent behind the last. */
export interface EventsPage {
  events: EventToMatch[];
  next?: SelectionCursor;
}

interface EventRow {
  id: Id<'event'>;
  tenant_id: Id<'tenant'>;
  type: string;
  accepted_at: string;
  found: number;
  first_accepted_at: Date;
  body: string | null;
  deliveries: EventToMatch['deliveries'] | null;
  resent: boolean;
  held_elsewhere: Id<'endpoint'>[];
}

/** Reads the next page of events: `limit` of them, or fewer whose payloads have about `maxBytes` together. */
export async function eventsToMatch(
  db: Queryable,
  operation: Pick<Operation, 'id' | 'tenantId'>,
  selection: Extract<Selection, { afresh: EventSelection }>,
  cursor: SelectionCursor,
  { limit, maxBytes }: { limit: number; maxBytes: number },
): Promise<EventsPage> {
  const p = new Parameters();
  const { rows } = await db.query<EventRow>(
    `with page as materialized (${eventPage(operation.tenantId, selection, cursor, limit, p, operation.id)}),
     weighed as (
       select v.*, count(*) over () as found,
         sum(v.payload_bytes) over (order by ${orderBy('v', selection)}) - v.payload_bytes as bytes_before
       from page v
     )
     select v.id, v.tenant_id, v.type, v.accepted_at::text as accepted_at, v.found, first_accepted_at(v.id) as first_accepted_at,
       (select b.body from payloads b where b.event_id = v.id) as body,
       (select json_agg(json_build_object('id', d.id, 'endpointId', d.endpoint_id)) from deliveries d
         where ${isFirstOf('d', 'v.id')}) as deliveries,
       exists (select from event_resends r where r.first_event_id = coalesce(v.duplicate_of, v.id) and r.event_id > v.id)
         as resent,
       array(select d.endpoint_id from event_resends r
         cross join lateral (values (r.first_event_id), (r.event_id)) as same(event_id)
         join deliveries d on ${isFirstOf('d', 'same.event_id')}
         where r.first_event_id = coalesce(v.duplicate_of, v.id) and same.event_id <> v.id) as held_elsewhere
     from weighed v where v.bytes_before < ${p.add(maxBytes)} order by ${orderBy('v', selection)}`,
    p.values,
  );
  const last = rows.at(-1);
  const more = last && (rows.length < last.found || last.found === limit);
  return {
    events: rows.map((row) => ({
      id: row.id,
      tenantId: row.tenant_id,
      type: row.type,
      acceptedAt: row.first_accepted_at,
      deliveries: row.deliveries ?? [],
      resent: row.resent,
      heldElsewhere: row.held_elsewhere,
      ...present({ body: row.body }),
    })),
    ...(more
      ? { next: { partition: 0, tenantId: last.tenant_id, acceptedAt: last.accepted_at, id: last.id } }
      : {}),
  };
}

/**
 * Makes first deliveries of events as items of an operation, each with its first execution; at an endpoint that takes
 * nothing the delivery is ignored, as when the event came in, and is not an item. Returns the deliveries that are not
 * items, and those that somebody else has made meanwhile: they are decided like every delivery that is there already.
 */
export async function insertFirstDeliveries(
  tx: Transaction,
  { id, interactive }: Pick<Operation, 'id' | 'interactive'>,
  first: { eventId: Id<'event'>; endpointId: Id<'endpoint'> }[],
): Promise<Id<'delivery'>[]> {
  if (first.length === 0) return [];
  const eventIds = first.map(({ eventId }) => eventId);
  const endpointIds = first.map(({ endpointId }) => endpointId);
  const made = await tx.query<{ operation_id: Id<'operation'> | null }>(
    `with delivery as (
      insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes, order_key, order_number)
      select v.tenant_id, v.id, n.id, case n.state when 'enabled' then 'pending' else 'ignored' end, v.accepted_at,
        v.payload_bytes, case when n.ordered then v.key end, case when n.ordered and v.key is not null then v.number end
      from unnest($2::uuid[], $3::uuid[]) as f(event_id, endpoint_id)
      join events v on v.id = f.event_id join endpoints n on n.id = f.endpoint_id and n.tenant_id = v.tenant_id
      on conflict (event_id, endpoint_id) where replay_of is null do nothing
      returning id, tenant_id, endpoint_id, state = 'pending' as sent
    ), run as materialized (
      select uuidv7() as id, d.tenant_id, d.id as delivery_id, d.endpoint_id, d.sent, case when not d.sent then 0 end as none,
        n.state as endpoint_state, o.not_before > now() as waits, greatest(o.not_before, now()) as due_at,
        greatest(o.not_before, now()) + coalesce(
          (o.options->>'giveUpAfterMs')::float8, v.give_up_after_ms) * interval '1 millisecond' as give_up_at
      from delivery d cross join operations o
      join endpoints n on n.id = d.endpoint_id
      join endpoint_versions v on ${isCurrent('v', 'n')}
      where o.id = $1
    ), queued as (
      insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, operation_id, worked_by, state, due_at,
        give_up_at)
      select r.delivery_id, r.id, r.tenant_id, r.endpoint_id, $1, $4,
        case when r.waits then 'scheduled' else 'queued' end, r.due_at, r.give_up_at
      from run r where r.sent
    )
    insert into execution_records (id, tenant_id, delivery_id, endpoint_id, operation_id, generation, outcome, reason,
      finished_at, attempts, lost_attempts, may_have_arrived, due_at, give_up_at)
    select r.id, r.tenant_id, r.delivery_id, r.endpoint_id, case when r.sent then $1::uuid end, 1,
      case when not r.sent then 'ignored' end, case when not r.sent then 'endpoint_' || r.endpoint_state end,
      case when not r.sent then now() end, r.none, r.none, case when not r.sent then false end,
      case when not r.sent then r.due_at end, case when not r.sent then r.give_up_at end
    from run r
    returning operation_id`,
    [id, eventIds, endpointIds, interactive ? LIVE_LANE : id],
  );
  if (made.rows.filter((row) => row.operation_id !== null).length === first.length) return [];
  const { rows } = await tx.query<{ id: Id<'delivery'> }>(
    `select d.id from unnest($2::uuid[], $3::uuid[]) as f(event_id, endpoint_id)
     join deliveries d on d.event_id = f.event_id and d.endpoint_id = f.endpoint_id and d.replay_of is null
     where not exists (select from execution_records x where x.delivery_id = d.id and x.operation_id = $1)`,
    [id, eventIds, endpointIds],
  );
  return rows.map((row) => row.id);
}

/** Excludes deliveries that their endpoint no longer wants; those that it has got are excluded as delivered. */
export async function excludeUnmatched(
  db: Queryable,
  operationId: Id<'operation'>,
  ids: Id<'delivery'>[],
): Promise<void> {
  if (ids.length === 0) return;
  await db.query(
    `insert into exclusions (operation_id, delivery_id, reason)
     select $1, d.id, case d.state when 'delivered' then 'already_delivered' else 'no_longer_matches' end
     from deliveries d where d.id = any($2::uuid[])
     on conflict do nothing`,
    [operationId, ids],
  );
}

/** The deliveries of these events that are in the ledger of an operation, as items or as exclusions. */
export async function ledgerOfEvents(
  db: Queryable,
  operationId: Id<'operation'>,
  eventIds: readonly Id<'event'>[],
): Promise<Id<'delivery'>[]> {
  const { rows } = await db.query<{ id: Id<'delivery'> }>(
    `select d.id from deliveries d where d.event_id = any($2::uuid[])
       and ($1 = any (array(select x.operation_id from execution_records x where x.delivery_id = d.id))
         or (select x.delivery_id from exclusions x where x.operation_id = $1 and x.delivery_id = d.id) is not null)
     order by d.id`,
    [operationId, eventIds],
  );
  return rows.map((row) => row.id);
}

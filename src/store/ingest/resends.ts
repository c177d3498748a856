import type { Held, IdHistory, Standing } from '../../domain/events/repeated-event.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { isQueued } from '../db/looked-up.ts';
import { BeginAgain } from '../db/pool.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { tipOf } from '../selection/fate.ts';
import { refoldDeliveries } from '../settling/folding.ts';
import { ignoreWaitingWithoutPayload } from '../settling/settlement.ts';

interface VersionRow {
  first_event_id: Id<'event'>;
  event_id: Id<'event'>;
  endpoint_id: Id<'endpoint'> | null;
  state: DeliveryState | null;
  open: boolean | null;
  payload_kept: boolean;
  digest: string | null;
  order_key: string | null;
  order_number: number | null;
}

/**
 * Reads how these first events, and the repeats that were kept as well, stand at each endpoint. A payload is digested
 * only where the digest decides: not where it was delivered or is on its way.
 */
export async function idHistories(
  db: Queryable,
  tenantId: Id<'tenant'>,
  firstEventIds: Id<'event'>[],
): Promise<Map<Id<'event'>, IdHistory>> {
  const { rows } = await db.query<VersionRow>(
    `with version as (
      select u.id as first_event_id, u.id as event_id from unnest($2::uuid[]) as u(id)
      union all
      select r.first_event_id, r.event_id from event_resends r where r.first_event_id = any($2)
    )
    select s.first_event_id, s.event_id, d.endpoint_id, d.state, d.open, d.order_key, d.order_number,
      b.event_id is not null as payload_kept,
      case when d.state is distinct from 'delivered' and d.open is not true
        then encode(sha256(convert_to(b.body, 'UTF8')), 'hex') end as digest
    from version s
    left join lateral (select x.event_id, x.body from payloads x where x.event_id = s.event_id and x.tenant_id = $1 limit 1) b on true
    left join lateral (
      select x.endpoint_id, x.state, x.order_key, x.order_number,
        -- What waits without a payload is never sent, and ends ignored whenever somebody comes to it.
        exists (select from queue q where q.delivery_id = x.id
          and (q.state in ('sending', 'unknown') or b.event_id is not null)) as open
      from deliveries x where x.event_id = s.event_id and x.tenant_id = $1 and x.replay_of is null
        -- A suppressed delivery stands for nothing: the one that it repeats does.
        and (select e.reason from execution_records e where e.delivery_id = x.id order by e.generation desc limit 1)
          is distinct from 'suppressed_duplicate'
    ) d on true
    order by s.event_id`,
    [tenantId, firstEventIds],
  );
  const histories = new Map<Id<'event'>, IdHistory>();
  for (const row of rows) {
    const history: IdHistory = histories.get(row.first_event_id) ?? {
      firstEventId: row.first_event_id,
      held: new Map(),
    };
    histories.set(row.first_event_id, history);
    // The newest, in the order of the rows; without a digest it is gone, or delivered or open somewhere, which decides.
    if (row.digest === null) delete history.newestDigest;
    else history.newestDigest = row.digest;
    if (row.endpoint_id === null) continue;
    const before = history.held.get(row.endpoint_id);
    // A delivery that was sent again can still be acknowledged, or replayed with a confirmation.
    if (before?.standing === 'delivered' || before?.standing === 'open') continue;
    history.held.set(row.endpoint_id, heldFrom(row));
  }
  return histories;
}

function heldFrom(row: VersionRow): Held {
  const standing: Standing =
    row.state === 'delivered' ? 'delivered' : row.open ? 'open' : row.payload_kept ? 'replayable' : 'lost';
  return {
    eventId: row.event_id,
    standing,
    ...(row.digest === null ? {} : { digest: row.digest }),
    ...(row.order_key === null || row.order_number === null
      ? {}
      : { place: { key: row.order_key, number: row.order_number } }),
  };
}

/** Notes repeats that are kept with a payload of their own, each with the first event of its id. */
export async function insertResends(
  db: Transaction,
  resends: { firstEventId: Id<'event'>; eventId: Id<'event'> }[],
): Promise<void> {
  await db.query(
    `insert into event_resends (first_event_id, event_id) select * from unnest($1::uuid[], $2::uuid[])`,
    [resends.map(({ firstEventId }) => firstEventId), resends.map(({ eventId }) => eventId)],
  );
}

/** A delivery that another one stands for from now on, by their events and their endpoint. */
export interface Replacement {
  endpointId: Id<'endpoint'>;
  /** The event whose delivery is replaced. */
  eventId: Id<'event'>;
  /** The event whose delivery stands for it. */
  byEventId: Id<'event'>;
}

/**
 * Leaves replaced deliveries out of every retry: names their successor, and ends their chain by an execution that was
 * never to be sent. This is the only child that their newest execution can have, so that a retry which is accepted at
 * the same moment meets it and decides once more, or is met here, which undoes the transaction. Returns the replaced
 * deliveries.
 */
export async function replaceDeliveries(
  db: Transaction,
  tenantId: Id<'tenant'>,
  replacements: Replacement[],
): Promise<Id<'delivery'>[]> {
  const replaced = await db.query<{ id: Id<'delivery'> }>(
    `with pair as materialized (
      select o.id, n.id as by_id
      from unnest($2::uuid[], $3::uuid[], $4::uuid[]) as u(endpoint_id, event_id, by_event_id)
      join deliveries o on o.event_id = u.event_id and o.endpoint_id = u.endpoint_id and o.replay_of is null
      join deliveries n on n.event_id = u.by_event_id and n.endpoint_id = u.endpoint_id and n.replay_of is null
      where o.tenant_id = $1
    ), locked as materialized (
      select d.id from deliveries d where d.id in (select id from pair) order by d.id for no key update
    )
    update deliveries d set resent_by = p.by_id
    from pair p where d.id = p.id and (select count(*) from locked) >= 0 returning d.id`,
    [
      tenantId,
      replacements.map(({ endpointId }) => endpointId),
      replacements.map(({ eventId }) => eventId),
      replacements.map(({ byEventId }) => byEventId),
    ],
  );
  const ids = replaced.rows.map(({ id }) => id);
  await ignoreWaitingWithoutPayload(db, ids);
  const ended = await db.query(
    `insert into execution_records (tenant_id, delivery_id, endpoint_id, parent_id, generation, outcome, reason, due_at,
      give_up_at, finished_at, attempts, lost_attempts, may_have_arrived)
    select d.tenant_id, d.id, d.endpoint_id, tip.id, tip.next, 'ignored', 'resent', now(), now(), now(), 0, 0, false
    from deliveries d cross join lateral (${tipOf('d.id')}) tip
    where d.id = any($1::uuid[]) and d.state <> 'delivered'
      and not ${isQueued('d.id')}
    order by d.accepted_at, d.id
    on conflict do nothing`,
    [ids],
  );
  if (ids.length !== replacements.length || ended.rowCount !== replacements.length)
    throw new BeginAgain('a delivery that is sent again was taken up by somebody else');
  await refoldDeliveries(db, ids);
  return ids;
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import { isQueued, lookedUp } from '../db/looked-up.ts';
import { withRetries } from '../db/pool.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';
import { queueOwners } from './queue-owners.ts';

/** Items that are put off by one look at a queue; those behind them are found when these are out of the way. */
const PUT_OFF_AT_ONCE = 500;

/** An item that waits for its order is left alone for this time, unless the one in its way ends before. */
const LOOK_AGAIN_MS = 60_000;

/**
 * SQL: whether the delivery `d`, that has ended, was in the way of replays of what was delivered, and one of those that are
 * `replaying` has something there: who blocks as before lets nobody go, and what was delivered long ago has let go since.
 */
const LETS_REPLAYS_GO = `not (d.state = 'failed' and v.on_exhausted = 'block' and d.resent_by is null)
          and (d.state <> 'delivered' or d.state_changed_at > now() - ${LOOK_AGAIN_MS} * interval '1 millisecond')
          and exists (select from replaying o where o.tenant_id in (d.tenant_id, '${PLATFORM_TENANT.id}')
            and (select x.operation_id from operation_endpoints x
              where x.endpoint_id = d.endpoint_id and x.operation_id = o.id) is not null)`;

/** SQL: whether the row of the queue `q` of `$1` is due. */
const DUE = `q.in_queue and q.worked_by = $1 and q.state in ('queued', 'scheduled') and q.due_at <= now()`;

/**
 * Puts off due items of `workedBy` at ordered endpoints that something before them keeps waiting, so that nobody asks
 * for them again and again. The endpoints and the rows are locked first and judged by a later statement, as otherwise
 * the delivery in their way could end between the two, or the order be given up, and find nothing to make due.
 */
export async function putOffBlocked(
  tx: Transaction,
  workedBy: Id<'operation'>,
  endpointIds: Id<'endpoint'>[],
): Promise<void> {
  const held = await tx.query<{ id: Id<'endpoint'> }>(
    `select n.id from endpoints n where n.id = any($2::uuid[])
      and (select q.delivery_id from queue q where ${DUE} and q.endpoint_id = n.id limit 1) is not null
    order by n.id for share`,
    [workedBy, endpointIds],
  );
  if (held.rows.length === 0) return;
  const { rows } = await tx.query<{ id: Id<'delivery'> }>(
    `select q.delivery_id as id from queue q where ${DUE} and q.endpoint_id = any($2::uuid[])
    order by q.endpoint_id, q.due_at, q.execution_id limit $3 for update skip locked`,
    [workedBy, held.rows.map(({ id }) => id), PUT_OFF_AT_ONCE],
  );
  await tx.query(
    `update queue q set put_off_from = coalesce(q.put_off_from, q.due_at),
      due_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
    where q.delivery_id = any($1::uuid[]) and blocked_by(q.delivery_id) is not null`,
    [rows.map(({ id }) => id), LOOK_AGAIN_MS],
  );
}

/**
 * Makes executions due that wait behind deliveries whose end has just been committed; true where there are any. Where
 * it is never called, as at a crash in between, they are looked at again after a minute. Locks the next of each key
 * whether it was put off or not: a transaction that is putting it off at this moment is waited for.
 *
 * The next is the first behind it that is in the queue. Those in between that nobody sends are passed, each by a look-up:
 * as a key goes forward in its order, each of them is passed once. A failed one that blocks ends the search, and so does
 * another of those that ended, which searches for itself: many of one key that end together are no more than one walk.
 *
 * Replays of what was delivered before are in nobody's way, and stand nowhere among the undelivered: all of them up to that
 * next one may go, where a replay is open that has something there.
 */
export async function dueNext(db: Queryable, endedDeliveryIds: Id<'delivery'>[]): Promise<boolean> {
  if (endedDeliveryIds.length === 0) return false;
  const { rows } = await withRetries(() =>
    db.query<Ended>(
      `with replaying as materialized (
      select o.id, o.tenant_id from operations o where o.closed_at is null and o.kind = 'replay'
    ), ended as materialized (
      select d.id, f.id as next_id, f.order_number as next_number, ${LETS_REPLAYS_GO} as lets_replays_go
      from unnest($1::uuid[]) as u(id)
      join deliveries d on d.id = u.id and d.order_key is not null
      join endpoints n on n.id = d.endpoint_id and n.ordered
      join endpoint_versions v on ${isCurrent('v', 'n')}
      left join lateral (
        select b.delivery_id as id, b.order_number from undelivered b where b.endpoint_id = d.endpoint_id
          and b.order_key = d.order_key and b.order_number > d.order_number and b.order_key is not null
          and (b.state in ('pending', 'unknown') or b.delivery_id = any($1::uuid[])
            or (b.state = 'failed' and v.on_exhausted = 'block'
              and (select r.resent_by from deliveries r where r.id = b.delivery_id) is null)
            or ${isQueued('b.delivery_id')})
        order by b.order_number limit 1
      ) f on true
    ), next as materialized (
      select distinct e.next_id as id from ended e where e.next_id is not null
    ), ${MADE_DUE}
    select e.id, e.next_number, e.lets_replays_go, (select count(*)::int from made_due) as made from ended e`,
      [endedDeliveryIds],
    ),
  );
  const letGo = rows.filter((row) => row.lets_replays_go);
  const replays = letGo.length > 0 && (await dueReplays(db, letGo));
  return replays || (rows[0]?.made ?? 0) > 0;
}

interface Ended {
  id: Id<'delivery'>;
  /** The place of the next of its key that is in the way. */
  next_number: number | null;
  lets_replays_go: boolean;
  made: number;
}

/** SQL: makes the rows of the queue due that are `next` and were put off. */
const MADE_DUE = `locked as (
      select q.delivery_id, q.put_off_from from queue q
      join next on ${lookedUp('q.delivery_id', 'next.id')}
      order by q.execution_id for update of q
    ), made_due as (
      -- By the row that was waited for: the one of the snapshot, not put off yet, would have no time.
      update queue q set due_at = locked.put_off_from, put_off_from = null
      from locked where ${lookedUp('q.delivery_id', 'locked.delivery_id', 'locked.put_off_from is not null')}
      returning q.delivery_id
    )`;

/** SQL: when the event with a number of the tenant of `d` was accepted: events have their numbers in the order of their times. */
const acceptedAt = (number: string) =>
  `(select y.accepted_at from events y where y.tenant_id = d.tenant_id and y.number = ${number})`;

/**
 * Makes due, as {@link dueNext} does, the replays of what was delivered behind these in their order, up to the next that is
 * in the way. They are found by the events of the key: nothing else has them in their order. What was sent again has the
 * place of its first.
 */
async function dueReplays(db: Queryable, ended: readonly Ended[]): Promise<boolean> {
  const { rows } = await withRetries(() =>
    db.query<{ made: number }>(
      `with next as materialized (
      select distinct b.id from unnest($1::uuid[], $2::bigint[]) as u(id, next_number)
      join deliveries d on d.id = u.id
      cross join lateral (
        select y.id from events y where y.tenant_id = d.tenant_id and y.key = d.order_key
          and y.number > d.order_number and (u.next_number is null or y.number < u.next_number)
          and y.accepted_at >= coalesce(${acceptedAt('d.order_number')}, '-infinity')
          and y.accepted_at <= coalesce(${acceptedAt('u.next_number')}, 'infinity')
        order by y.accepted_at, y.id
      ) y
      cross join lateral (
        select y.id as event_id union all select r.event_id from event_resends r where r.first_event_id = y.id
      ) t
      cross join lateral (select x.id from deliveries x where x.event_id = t.event_id
        and x.endpoint_id = d.endpoint_id and x.replay_of is null and x.state = 'delivered' limit 1) b
      where ${isQueued('b.id')}
    ), ${MADE_DUE}
    select count(*)::int as made from made_due`,
      [ended.map(({ id }) => id), ended.map((each) => each.next_number)],
    ),
  );
  return (rows[0]?.made ?? 0) > 0;
}

/**
 * Makes everything due at an endpoint that was put off for its order, in the live lane and in the open operations of its
 * tenant. The same transaction changes the endpoint.
 */
export async function makePutOffDue(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<void> {
  await tx.query(
    `with owners as materialized ${queueOwners('$1')}, put_off as (
      select q.delivery_id from owners o join queue q on q.in_queue and q.worked_by = o.id
      where q.endpoint_id = $2 and q.put_off_from is not null
      order by q.execution_id for update of q skip locked
    )
    update queue q set due_at = q.put_off_from, put_off_from = null from put_off p
    where ${lookedUp('q.delivery_id', 'p.delivery_id')} and q.put_off_from is not null`,
    [[tenantId, PLATFORM_TENANT.id], endpointId],
  );
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Items that are put off by one look at a queue; those behind them are found when these are out of the way. */
const PUT_OFF_AT_ONCE = 500;

/** An item that waits for its order is left alone for this time, unless the one in its way ends before. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Puts off due items of `workedBy` at ordered endpoints that something before them keeps waiting, so that nobody asks
 * for them again and again. The rows are locked first and judged by a later statement, as otherwise the delivery in
 * their way could end between the two and find nothing to make due.
 */
export async function putOffBlocked(
  tx: Transaction,
  workedBy: Id<'operation'>,
  endpointIds: Id<'endpoint'>[],
): Promise<void> {
  const { rows } = await tx.query<{ id: Id<'delivery'> }>(
    `select q.delivery_id as id from queue q
    where q.in_queue and q.worked_by = $1 and q.endpoint_id = any($2::uuid[]) and q.state in ('queued', 'scheduled')
      and q.due_at <= now()
    order by q.endpoint_id, q.due_at, q.execution_id limit $3 for update skip locked`,
    [workedBy, endpointIds, PUT_OFF_AT_ONCE],
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
 */
export async function dueNext(db: Queryable, endedDeliveryIds: Id<'delivery'>[]): Promise<boolean> {
  if (endedDeliveryIds.length === 0) return false;
  const { rowCount } = await db.query(
    `with next as materialized (
      select f.id from unnest($1::uuid[]) as u(id)
      join deliveries d on d.id = u.id and d.order_key is not null
      cross join lateral (
        select b.delivery_id as id from undelivered b where b.endpoint_id = d.endpoint_id and b.order_key = d.order_key
          and b.order_number > d.order_number and b.order_key is not null
        order by b.order_number limit 1
      ) f
    ), locked as (
      select q.delivery_id, q.put_off_from from queue q
      join next on ${lookedUp('q.delivery_id', 'next.id')}
      order by q.execution_id for update of q
    )
    -- By the row that was waited for: the one of the snapshot, not put off yet, would have no time.
    update queue q set due_at = locked.put_off_from, put_off_from = null
    from locked where ${lookedUp('q.delivery_id', 'locked.delivery_id', 'locked.put_off_from is not null')}`,
    [endedDeliveryIds],
  );
  return (rowCount ?? 0) > 0;
}

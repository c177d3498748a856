import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Transaction } from '../db/queryable.ts';
import { kept } from '../settling/ends.ts';
import { refoldDeliveries } from '../settling/folding.ts';

/**
 * Cancels up to `limit` unsent items of an operation. Where such an item had taken over, through unsent ones only, an
 * execution of no operation, the same statement makes a new one of no operation with the due time, the attempts so far
 * (those that were lost, and whether one may have arrived) and the time to give up of that one: cancelling never
 * strands a delivery. Returns the deliveries of those that were cancelled.
 */
export async function cancelUnsent(
  tx: Transaction,
  operationId: Id<'operation'>,
  limit: number,
): Promise<Id<'delivery'>[]> {
  const { rows } = await tx.query<{ delivery_id: Id<'delivery'> }>(
    `with recursive unsent as materialized (
      -- Lateral with a limit: one look-up an item, whatever the planner thinks of the size of the queue. In order before
      -- that: they may be put in order behind the look-ups of all there are.
      select q.delivery_id from (
        select e.id, e.delivery_id from execution_records e where e.operation_id = $1 and e.outcome is null order by e.id
      ) r cross join lateral (
        select x.delivery_id from queue x
        where x.delivery_id = r.delivery_id and x.execution_id = r.id and x.state in ('queued', 'scheduled')
        limit 1 for update skip locked) q
      limit $2
    ), gone as (
      delete from queue q using unsent u where ${lookedUp('q.delivery_id', 'u.delivery_id')}
      returning q.*
    ), ended as (
      update execution_records r set outcome = 'cancelled', reason = 'operation_cancelled',
        finished_at = clock_timestamp(), ${kept('g')}
      from gone g where r.id = g.execution_id
      returning r.id, r.tenant_id, r.delivery_id, r.endpoint_id, r.parent_id, r.generation, r.attempts
    ), line as (
      -- From each unsent item back through those that it superseded, as long as they were never sent under an
      -- operation.
      select e.id as item, e.parent_id as child_of, p.id, p.parent_id, p.operation_id, p.due_at, p.attempts, p.give_up_at,
        p.may_have_arrived, p.lost_attempts
      from ended e join execution_records p on p.id = e.parent_id and p.outcome = 'superseded'
      where e.attempts = 0
      union all
      select l.item, l.child_of, p.id, p.parent_id, p.operation_id, p.due_at, p.attempts, p.give_up_at,
        p.may_have_arrived, p.lost_attempts
      from line l join execution_records p on p.id = l.parent_id and p.outcome = 'superseded'
      where l.operation_id is not null and l.attempts = 0
    ), run as materialized (
      select uuidv7() as id, e.tenant_id, e.delivery_id, e.endpoint_id, l.child_of, e.generation + 1 as generation, l.due_at,
        l.give_up_at, l.attempts, l.may_have_arrived, l.lost_attempts
      from line l join ended e on e.id = l.item
      where l.operation_id is null
    ), restored as (
      insert into execution_records (id, tenant_id, delivery_id, endpoint_id, parent_id, generation)
      select r.id, r.tenant_id, r.delivery_id, r.endpoint_id, r.child_of, r.generation from run r
    ), queued as (
      -- What it stands for is read behind the end that it follows: the row in the queue of that is gone.
      insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at, attempts,
        may_have_arrived, lost_attempts)
      select r.delivery_id, r.id, r.tenant_id, r.endpoint_id, 'scheduled', r.due_at, r.give_up_at, r.attempts,
        r.may_have_arrived, r.lost_attempts
      from run r
    )
    select e.delivery_id from ended e`,
    [operationId, limit],
  );
  const ids = rows.map((row) => row.delivery_id);
  await refoldDeliveries(tx, ids);
  return ids;
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { refoldDeliveries } from '../settling/folding.ts';

/**
 * Cancels up to `limit` unsent items of an operation. Where such an item had taken over, through unsent ones only, an
 * execution of no operation, the same statement makes a new one of no operation with the due time, the attempts so far
 * (those that were lost, and whether one may have arrived) and the time to give up of that one: cancelling never
 * strands a delivery. Returns how many were cancelled.
 */
export async function cancelUnsent(
  tx: Transaction,
  operationId: Id<'operation'>,
  limit: number,
): Promise<number> {
  const { rows } = await tx.query<{ delivery_id: Id<'delivery'> }>(
    `with recursive unsent as (
      select id from executions
      where operation_id = $1 and open and state in ('queued', 'scheduled')
      order by id limit $2 for update skip locked
    ), ended as (
      update executions e set state = 'cancelled', reason = 'operation_cancelled', finished_at = clock_timestamp()
      from unsent u where e.id = u.id
      returning e.id, e.tenant_id, e.delivery_id, e.endpoint_id, e.parent_id, e.attempts
    ), line as (
      -- From each unsent item back through those that it superseded, as long as they were never sent under an
      -- operation.
      select e.id as item, e.parent_id as child_of, p.id, p.parent_id, p.operation_id, p.due_at, p.attempts, p.give_up_at,
        p.may_have_arrived, p.lost_attempts
      from ended e join executions p on p.id = e.parent_id and p.state = 'superseded'
      where e.attempts = 0
      union all
      select l.item, l.child_of, p.id, p.parent_id, p.operation_id, p.due_at, p.attempts, p.give_up_at,
        p.may_have_arrived, p.lost_attempts
      from line l join executions p on p.id = l.parent_id and p.state = 'superseded'
      where l.operation_id is not null and l.attempts = 0
    ), restored as (
      insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at, attempts,
        may_have_arrived, lost_attempts)
      select e.tenant_id, e.delivery_id, e.endpoint_id, l.child_of, 'scheduled', l.due_at, l.give_up_at, l.attempts,
        l.may_have_arrived, l.lost_attempts
      from line l join ended e on e.id = l.item
      where l.operation_id is null
      returning delivery_id
    )
    select e.delivery_id from ended e left join restored r on r.delivery_id = e.delivery_id`,
    [operationId, limit],
  );
  await refoldDeliveries(
    tx,
    rows.map((row) => row.delivery_id),
  );
  return rows.length;
}

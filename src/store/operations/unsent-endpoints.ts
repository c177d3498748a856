import type { Operation } from '../../domain/operations/operation.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable } from '../db/queryable.ts';

/**
 * The endpoints that an operation has something unsent for, at most `limit` of them. Goes from one endpoint to the next
 * by the index of the queue, however many items each has; the items that the live lane sends are few.
 */
export async function unsentEndpoints(
  db: Queryable,
  { id, interactive }: Pick<Operation, 'id' | 'interactive'>,
  limit: number,
): Promise<Id<'endpoint'>[]> {
  const { rows } = await db.query<{ endpoint_id: Id<'endpoint'> }>(
    interactive
      ? `select distinct q.endpoint_id from execution_records r
         join queue q on ${lookedUp('q.delivery_id', 'r.delivery_id', 'r.outcome is null')} and q.execution_id = r.id
         where r.operation_id = $1 and q.in_queue limit $2`
      : `with recursive hop as (
          (select endpoint_id, 1 as n from queue where in_queue and worked_by = $1 order by endpoint_id limit 1)
          union all
          select (select e.endpoint_id from queue e
            where e.in_queue and e.worked_by = $1 and e.endpoint_id > hop.endpoint_id order by e.endpoint_id limit 1), n + 1
          from hop where hop.endpoint_id is not null and n < $2
        ) select endpoint_id from hop where endpoint_id is not null`,
    [id, limit],
  );
  return rows.map((row) => row.endpoint_id);
}

import type { Operation } from '../../domain/operations/operation.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { deliveriesPage } from './selection-page.ts';

/** Excludes as `changed_since` the deliveries that kept changing hands while they were being frozen. */
export async function excludeChanged(
  db: Queryable,
  { id, tenantId, selection }: Pick<Operation, 'id' | 'tenantId' | 'selection'>,
  ids: Id<'delivery'>[],
): Promise<void> {
  const p = new Parameters();
  await db.query(
    `insert into exclusions (operation_id, delivery_id, reason)
     select ${p.add(id)}::uuid, d.id, 'changed_since' from (${deliveriesPage(tenantId, selection, ids, p)}) d
     on conflict do nothing`,
    p.values,
  );
}

/**
 * Excludes, with the reason, the deliveries of executions that were named and are not the newest of their chain, or not
 * as they were asked for.
 */
export async function excludeUnretried(
  db: Queryable,
  operationId: Id<'operation'>,
  tenantId: Id<'tenant'>,
  executionIds: Id<'execution'>[],
): Promise<void> {
  await db.query(
    `insert into exclusions (operation_id, delivery_id, reason)
     select distinct on (d.id) $1::uuid, d.id, case
       when d.state = 'delivered' then 'already_delivered'
       when exists (select from executions c where c.delivery_id = x.delivery_id and c.parent_id = x.id and c.keeps_slot)
         then 'already_retried'
       else 'not_retryable' end
     from execution_records x join deliveries d on d.id = x.delivery_id
     where x.tenant_id = $2 and x.id = any($3::uuid[])
       and not exists (select from execution_records i where i.delivery_id = d.id and i.operation_id = $1)
     order by d.id, x.generation desc
     on conflict do nothing`,
    [operationId, tenantId, executionIds],
  );
}

import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { RESOLVED_AS, SENT_AGAIN } from './ends.ts';
import { refoldDeliveries } from './folding.ts';
import type { ResolutionOutcome } from './resolution-acts.ts';

/**
 * Settles a delivery's unknown execution by an operator's word; undefined where none is unknown. One that is to be sent
 * again is worked by the live lane when its operation has closed.
 */
export async function resolveUnknown(
  db: Transaction,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
  outcome: ResolutionOutcome,
): Promise<{ executionId: Id<'execution'>; state: ExecutionState } | undefined> {
  const { rows } = await db.query<{ id: Id<'execution'>; state: ExecutionState }>(
    outcome === 'retry'
      ? `update queue q set ${SENT_AGAIN} where q.delivery_id = $1 and q.tenant_id = $2 and q.state = 'unknown'
         returning q.execution_id as id, q.state`
      : `with gone as (
           delete from queue q where q.delivery_id = $1 and q.tenant_id = $2 and q.state = 'unknown' returning q.*
         )
         update execution_records r set ${RESOLVED_AS('$3')} from gone g where r.id = g.execution_id
         returning r.id, r.outcome as state`,
    [deliveryId, tenantId, ...(outcome === 'retry' ? [] : [outcome])],
  );
  if (!rows[0]) return undefined;
  await refoldDeliveries(db, [deliveryId]);
  return { executionId: rows[0].id, state: rows[0].state };
}

/** Whether a delivery exists for this tenant. */
export async function deliveryExists(
  db: Queryable,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
): Promise<boolean> {
  const { rowCount } = await db.query('select from deliveries where id = $1 and tenant_id = $2', [
    deliveryId,
    tenantId,
  ]);
  return rowCount === 1;
}

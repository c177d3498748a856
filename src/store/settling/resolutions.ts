import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
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

/** What decides whether an unknown delivery can be sent again. */
export interface UnknownSendable {
  endpointId: Id<'endpoint'>;
  endpoint: EndpointState;
  payloadKept: boolean;
}

/** Holds what is unknown of a delivery, and reads what a further send would meet; undefined where nothing is unknown. */
export async function holdUnknown(
  db: Transaction,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
): Promise<UnknownSendable | undefined> {
  const { rows } = await db.query<{
    endpoint_id: Id<'endpoint'>;
    endpoint: EndpointState;
    payload_kept: boolean;
  }>(
    `select q.endpoint_id, (select n.state from endpoints n where n.id = q.endpoint_id) as endpoint,
       (select b.event_id from payloads b
         where b.event_id = (select d.event_id from deliveries d where d.id = q.delivery_id)) is not null as payload_kept
     from queue q where q.delivery_id = $1 and q.tenant_id = $2 and q.state = 'unknown' for update of q`,
    [deliveryId, tenantId],
  );
  const [row] = rows;
  return row && { endpointId: row.endpoint_id, endpoint: row.endpoint, payloadKept: row.payload_kept };
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

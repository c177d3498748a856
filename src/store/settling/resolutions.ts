import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
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
    `update executions e set
      state = $3,
      reason = case when $3 = 'failed' then 'resolved' end,
      finished_at = case when $3 <> 'scheduled' then clock_timestamp() end,
      due_at = now(),
      give_up_at = greatest(e.give_up_at, now() + interval '24 hours'),
      worked_by = case when exists (select from operations o where o.id = e.operation_id and o.report is null)
        then e.worked_by else '${LIVE_LANE}' end,
      -- Nobody asks any more.
      reconcile_until = null, probe_at = null
     where e.delivery_id = $1 and e.tenant_id = $2 and e.state = 'unknown'
     returning e.id, e.state`,
    [deliveryId, tenantId, outcome === 'retry' ? 'scheduled' : outcome],
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

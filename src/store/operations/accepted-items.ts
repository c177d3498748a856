import type { AcceptedItem } from '../../domain/operations/accepted-item.ts';
import type { ExclusionReason } from '../../domain/operations/selection.ts';
import { present } from '../../domain/present.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';

type AcceptedRow = { delivery_id: Id<'delivery'>; endpoint_id: Id<'endpoint'> } & (
  | {
      execution_id: Id<'execution'>;
      state: ExecutionState;
      replay_of: Id<'delivery'> | null;
      took_over: Id<'execution'> | null;
    }
  | {
      execution_id: null;
      reason: ExclusionReason;
      joined_execution_id: Id<'execution'> | null;
      resent_by: Id<'delivery'> | null;
      held_by: Id<'operation'> | null;
    }
);

/**
 * The fate of each delivery of an explicit list, in the transaction that has frozen it: its items in the order they were
 * made, then its exclusions. Less than a page of its ledger tells, because a person waits for a single retry meanwhile.
 */
export async function acceptedItems(tx: Transaction, operationId: Id<'operation'>): Promise<AcceptedItem[]> {
  const { rows } = await tx.query<AcceptedRow>({
    name: 'accepted-items',
    text: `select * from ((select 0 as part, e.id as place, e.id as execution_id, e.delivery_id, e.endpoint_id, e.state,
        (select x.replay_of from deliveries x where x.id = e.delivery_id and x.operation_id = $1) as replay_of,
        (select x.id from executions x where x.id = e.parent_id and x.state = 'superseded') as took_over,
        null as reason, null::uuid as joined_execution_id, null::uuid as resent_by, null::uuid as held_by
      from executions e where e.operation_id = $1)
    union all
    (select 1, x.delivery_id, null, x.delivery_id, d.endpoint_id, null, null, null, x.reason, x.joined_execution_id,
        case when x.reason = 'resent' then d.resent_by end, x.held_by
      from exclusions x
      cross join lateral (select y.endpoint_id, y.resent_by from deliveries y where y.id = x.delivery_id limit 1) d
      where x.operation_id = $1)) i order by part, place`,
    values: [operationId],
  });
  return rows.map(acceptedItem);
}

function acceptedItem(row: AcceptedRow): AcceptedItem {
  const { endpoint_id: endpointId } = row;
  if (row.execution_id === null)
    return {
      deliveryId: row.delivery_id,
      endpointId,
      became: 'excluded',
      reason: row.reason,
      ...present({
        joinedExecutionId: row.joined_execution_id,
        resentBy: row.resent_by,
        heldBy: row.held_by,
      }),
    };
  return {
    deliveryId: row.replay_of ?? row.delivery_id,
    ...(row.replay_of === null ? {} : { newDeliveryId: row.delivery_id }),
    endpointId,
    became: row.state === 'scheduled' || row.state === 'ignored' ? row.state : 'queued',
    executionId: row.execution_id,
    ...present({ supersededExecutionId: row.took_over }),
  };
}

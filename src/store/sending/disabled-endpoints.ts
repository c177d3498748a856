import type { RunnableOperation } from '../../domain/operations/operation.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { type RunnableRow, runnableFrom } from '../operations/runnable.ts';
import { clockRunsOut } from '../policy/held-by-windows.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

/**
 * SQL: until when items of the operation `o` wait at the endpoint `n`, which an operator disabled after the operation
 * was accepted; `-infinity` where they do not wait: it is enabled, gone or deleted, or they belong to no open
 * operation. Its patience stands still while freeze windows hold the endpoint, and `infinity` is for as long as nobody
 * knows when they end. `endpoint` is the column with the endpoint's id.
 */
export function waitsUntil(endpoint = 'n.id'): string {
  const clock = { tenant: 'n.tenant_id', endpoint, operation: 'o', since: 'n.disabled_at' };
  return `case when n.state = 'disabled' and n.disabled_reason = 'operator'
    and o.report is null and n.disabled_at >= o.created_at
  then ${clockRunsOut(clock, 'o.disabled_patience_ms')} else '-infinity'::timestamptz end`;
}

/** SQL: the same where the endpoint is a row of `endpoints`. */
export const WAITS_UNTIL = waitsUntil();

/** Holds these endpoints as they are until the end of the transaction: enabling one comes before or after it. */
export async function holdEndpoints(tx: Transaction, endpointIds: Id<'endpoint'>[]): Promise<void> {
  await tx.query('select from endpoints where id = any($1::uuid[]) order by id for share', [endpointIds]);
}

/**
 * Hands items of operations that wait at disabled endpoints from the live lane to their operations, up to `limit` of
 * them: the live lane would have to look past them each time. The same transaction holds these endpoints.
 */
export async function handOverWaiting(
  tx: Transaction,
  endpointIds: Id<'endpoint'>[],
  limit: number,
): Promise<number> {
  const { rowCount } = await tx.query(
    `with waiting as (
      select e.delivery_id from queue e join endpoints n on n.id = e.endpoint_id join operations o on o.id = e.operation_id
      where e.in_queue and e.worked_by = '${LIVE_LANE}' and e.endpoint_id = any($1::uuid[])
        and e.state in ('queued', 'scheduled') and ${WAITS_UNTIL} > clock_timestamp()
      limit $2 for update of e skip locked
    )
    update queue e set worked_by = e.operation_id from waiting w where ${lookedUp('e.delivery_id', 'w.delivery_id')}`,
    [endpointIds, limit],
  );
  return rowCount ?? 0;
}

/** Hands items of an endpoint that wait no more back to the live lane; the same transaction enables it. */
export async function handBackWaiting(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<void> {
  await tx.query(
    `update queue e set worked_by = '${LIVE_LANE}' from operations o
     where o.closed_at is null and o.interactive and o.tenant_id = any($1::uuid[])
       and e.in_queue and e.worked_by = o.id and e.endpoint_id = $2 and e.state in ('queued', 'scheduled')`,
    [[tenantId, PLATFORM_TENANT.id], endpointId],
  );
}

/** Endpoints that take nothing, where an interactive operation has items handed over to it that wait no more. */
export async function closedEndpointsOf(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<Id<'endpoint'>[]> {
  const { rows } = await db.query<{ id: Id<'endpoint'> }>(
    `select n.id from operations o join queue e on e.in_queue and e.worked_by = o.id
     join endpoints n on n.id = e.endpoint_id
     where o.id = $1 and o.interactive and o.control <> 'cancel' and e.state in ('queued', 'scheduled')
       and n.state <> 'enabled' and ${WAITS_UNTIL} <= clock_timestamp()
     group by n.id`,
    [operationId],
  );
  return rows.map((row) => row.id);
}

/** The number of items of one operation that wait at an endpoint. */
export interface WaitingItems {
  operationId: Id<'operation'>;
  items: number;
}

/** How many items of which operations wait at an endpoint that an operator has disabled. */
export async function itemsWaitingAt(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<WaitingItems[]> {
  const { rows } = await db.query<{ operation_id: Id<'operation'>; items: number }>(
    `with owners as materialized (
      select o.id from operations o join endpoints n on n.id = $2
      where o.closed_at is null and o.tenant_id = any($1::uuid[]) and ${WAITS_UNTIL} > clock_timestamp()
    )
    select operation_id, count(*)::int as items from (
      select e.operation_id from owners o join queue e on e.in_queue and e.worked_by = o.id
      where e.endpoint_id = $2 and e.state in ('queued', 'scheduled')
      union all
      select e.operation_id from queue e
      where e.in_queue and e.worked_by = '${LIVE_LANE}' and e.endpoint_id = $2 and e.state in ('queued', 'scheduled')
        and e.operation_id in (select id from owners)
    ) w group by operation_id order by operation_id`,
    [[tenantId, PLATFORM_TENANT.id], endpointId],
  );
  return rows.map((row) => ({ operationId: row.operation_id, items: row.items }));
}

/**
 * Tells the open operations with unsent items at an endpoint to look again now, as its state has changed. Returns them,
 * to be nudged; the sweeper nudges where that is lost.
 */
export async function wakeOperationsAt(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<RunnableOperation[]> {
  const { rows } = await db.query<RunnableRow>(
    `with concerned as (
      select o.id from operations o where o.closed_at is null and o.tenant_id = any($1::uuid[]) and o.control <> 'pause'
        and (exists (select from queue e where e.in_queue and e.worked_by = o.id and e.endpoint_id = $2
            and e.state in ('queued', 'scheduled'))
          or (o.interactive and exists (select from execution_records r
            where r.operation_id = o.id and r.outcome is null and r.endpoint_id = $2
              and (select q.state from queue q where q.delivery_id = r.delivery_id) in ('queued', 'scheduled'))))
      order by o.id for no key update of o
    )
    update operations o set control_revision = o.control_revision + 1, next_event = 'control', next_event_at = now()
    from concerned c where o.id = c.id
    returning o.id, o.tenant_id, o.workflow_id, o.interactive, o.kind, o.state, o.control, o.control_revision`,
    [[tenantId, PLATFORM_TENANT.id], endpointId],
  );
  return rows.map(runnableFrom);
}

import type { ExecutionState } from '../../../domain/sending/execution-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';

/** The result of one handoff that a replay made. */
export interface ReplayResult {
  operationId: Id<'operation'>;
  deliveryId: Id<'delivery'>;
  state: ExecutionState;
  reason?: string;
  requests: number;
  mayHaveArrived: boolean;
  /** One of its requests was answered 5xx. */
  failedThere: boolean;
  /** One of its requests was answered. */
  answered: boolean;
  /** One of its requests was answered 2xx and taken for delivered. */
  accepted: boolean;
  httpStatus?: number;
  faultCode?: string;
  endedAt?: Date;
}

interface ResultRow {
  operation_id: Id<'operation'>;
  delivery_id: Id<'delivery'>;
  state: ExecutionState;
  reason: string | null;
  attempts: number;
  may_have_arrived: boolean;
  failed_there: boolean;
  answered: boolean;
  accepted: boolean;
  http_status: number | null;
  fault_code: string | null;
  ended_at: Date | null;
}

/** The results of the handoffs that these operations of a tenant made, in the order they were made. */
export async function replayResults(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationIds: Id<'operation'>[],
): Promise<ReplayResult[]> {
  if (operationIds.length === 0) return [];
  const { rows } = await db.query<ResultRow>(
    `select e.operation_id, e.delivery_id, e.state, e.reason, e.attempts, e.may_have_arrived,
       coalesce(tried.failed_there, false) as failed_there, tried.answered > 0 as answered,
       coalesce(tried.accepted, false) as accepted, last.http_status, last.fault_code, greatest(e.finished_at, last.started_at) as ended_at
     from executions e
     cross join lateral (select bool_or(a.http_status >= 500) as failed_there, count(a.http_status) as answered,
       bool_or(a.outcome = 'delivered') as accepted from attempts a where a.execution_id = e.id) tried
     left join lateral (select a.http_status, a.fault_code,
       case when e.finished_at is not null then a.started_at end as started_at
       from attempts a where a.execution_id = e.id order by a.number desc limit 1) last on true
     where e.tenant_id = $1 and e.operation_id = any($2::uuid[]) order by e.id`,
    [tenantId, operationIds],
  );
  return rows.map((row) => ({
    operationId: row.operation_id,
    deliveryId: row.delivery_id,
    state: row.state,
    ...(row.reason !== null ? { reason: row.reason } : {}),
    requests: row.attempts,
    mayHaveArrived: row.may_have_arrived,
    failedThere: row.failed_there,
    answered: row.answered,
    accepted: row.accepted,
    ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
    ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
    ...(row.ended_at !== null ? { endedAt: row.ended_at } : {}),
  }));
}

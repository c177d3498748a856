import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import type { ResolutionOutcome } from '../settling/resolution-acts.ts';

/** One HTTP request as it was recorded. */
export interface Attempt {
  id: Id<'attempt'>;
  number: number;
  endpointVersion?: number;
  startedAt: Date;
  durationMs: number;
  outcome: 'delivered' | 'retryable' | 'permanent' | 'gone' | 'ambiguous' | 'unsent';
  faultCode?: string;
  httpStatus?: number;
  retryAfterMs?: number;
  /** Sent although an earlier attempt may have arrived. */
  resend: boolean;
  /** Another system made it. */
  imported: boolean;
  /** The first bytes of the answer. */
  responseExcerpt?: Buffer;
}

/** One run of delivering, with its attempts in order. */
export interface Execution {
  id: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  operationId?: Id<'operation'>;
  parentId?: Id<'execution'>;
  childId?: Id<'execution'>;
  state: ExecutionState;
  reason?: string;
  dueAt: Date;
  giveUpAt: Date;
  mayHaveArrived: boolean;
  createdAt: Date;
  finishedAt?: Date;
  /** The delivery before it of its key that keeps it waiting. */
  blockedBy?: Id<'delivery'>;
  /** Who settled it last, where nobody knew its outcome. */
  resolution?: { actor: string; outcome: ResolutionOutcome; reason?: string; at: Date };
  attempts: Attempt[];
}

const SELECT = `select e.*, c.id as child_id,
    case when e.in_queue then blocked_by(e.delivery_id) end as blocked_by,
    r.actor as resolved_by, r.outcome as resolved_as, r.reason as resolved_for, r.created_at as resolved_at
  from executions e
  left join executions c on c.delivery_id = e.delivery_id and c.parent_id = e.id and c.keeps_slot
  left join lateral (
    select a.actor, a.outcome, a.reason, a.created_at from resolved_executions x join resolutions a on a.id = x.resolution_id
    where x.execution_id = e.id order by a.id desc limit 1) r on true`;

/** One execution of a tenant, with its attempts. */
export async function findExecution(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'execution'>,
): Promise<Execution | undefined> {
  const { rows } = await db.query<ExecutionRow>(`${SELECT} where e.tenant_id = $1 and e.id = $2`, [
    tenantId,
    id,
  ]);
  const [execution] = await withAttempts(db, tenantId, rows);
  return execution;
}

/** The newest `limit` executions of a delivery, oldest of them first, with their attempts. */
export async function executionsOfDelivery(
  db: Queryable,
  tenantId: Id<'tenant'>,
  deliveryId: Id<'delivery'>,
  limit: number,
): Promise<Execution[]> {
  const { rows } = await db.query<ExecutionRow>(
    `${SELECT} where e.tenant_id = $1 and e.delivery_id = $2 order by e.generation desc limit $3`,
    [tenantId, deliveryId, limit],
  );
  return withAttempts(db, tenantId, rows.reverse());
}

interface ExecutionRow {
  id: Id<'execution'>;
  delivery_id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  operation_id: Id<'operation'> | null;
  parent_id: Id<'execution'> | null;
  child_id: Id<'execution'> | null;
  state: ExecutionState;
  reason: string | null;
  due_at: Date;
  give_up_at: Date;
  may_have_arrived: boolean;
  created_at: Date;
  finished_at: Date | null;
  blocked_by: Id<'delivery'> | null;
  resolved_by: string | null;
  resolved_as: ResolutionOutcome | null;
  resolved_for: string | null;
  resolved_at: Date | null;
}

async function withAttempts(
  db: Queryable,
  tenantId: Id<'tenant'>,
  executions: ExecutionRow[],
): Promise<Execution[]> {
  if (executions.length === 0) return [];
  const { rows } = await db.query<AttemptRow>(
    `select a.* from unnest($2::uuid[]) as u(id)
     cross join lateral (select x.* from attempts x where x.execution_id = u.id and x.tenant_id = $1 offset 0) a
     -- Attempts of another system may have come in any order.
     order by a.execution_id, case when a.imported then a.started_at end, a.number`,
    [tenantId, executions.map((row) => row.id)],
  );
  const byExecution = new Map<Id<'execution'>, Attempt[]>();
  for (const row of rows) {
    const attempts = byExecution.get(row.execution_id) ?? [];
    attempts.push(attemptFrom(row));
    byExecution.set(row.execution_id, attempts);
  }
  return executions.map((row) => ({
    id: row.id,
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    ...(row.operation_id ? { operationId: row.operation_id } : {}),
    ...(row.parent_id ? { parentId: row.parent_id } : {}),
    ...(row.child_id ? { childId: row.child_id } : {}),
    state: row.state,
    ...(row.reason !== null ? { reason: row.reason } : {}),
    dueAt: row.due_at,
    giveUpAt: row.give_up_at,
    mayHaveArrived: row.may_have_arrived,
    createdAt: row.created_at,
    ...(row.finished_at ? { finishedAt: row.finished_at } : {}),
    ...(row.blocked_by ? { blockedBy: row.blocked_by } : {}),
    ...resolutionFrom(row),
    attempts: byExecution.get(row.id) ?? [],
  }));
}

function resolutionFrom(row: ExecutionRow): Pick<Execution, 'resolution'> {
  const { resolved_by: actor, resolved_as: outcome, resolved_for: reason, resolved_at: at } = row;
  if (actor === null || outcome === null || at === null) return {};
  return { resolution: { actor, outcome, ...(reason === null ? {} : { reason }), at } };
}

interface AttemptRow {
  id: Id<'attempt'>;
  execution_id: Id<'execution'>;
  number: number;
  endpoint_version: number | null;
  started_at: Date;
  duration_ms: number;
  outcome: Attempt['outcome'];
  fault_code: string | null;
  http_status: number | null;
  retry_after_ms: number | null;
  resend: boolean;
  imported: boolean;
  response_excerpt: Buffer | null;
}

function attemptFrom(row: AttemptRow): Attempt {
  return {
    id: row.id,
    number: row.number,
    ...(row.endpoint_version !== null ? { endpointVersion: row.endpoint_version } : {}),
    startedAt: row.started_at,
    durationMs: row.duration_ms,
    outcome: row.outcome,
    ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
    ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
    ...(row.retry_after_ms !== null ? { retryAfterMs: row.retry_after_ms } : {}),
    resend: row.resend,
    imported: row.imported,
    ...(row.response_excerpt ? { responseExcerpt: row.response_excerpt } : {}),
  };
}

import type { Operation } from '../../domain/operations/operation.ts';
import type { Control, OperationState } from '../../domain/operations/operation-state.ts';
import { isWatched } from '../../domain/operations/watch.ts';
import type { SurfaceName } from '../../domain/tenancy/surface-name.ts';
import type { Queryable } from '../db/queryable.ts';
import { ITSELF } from './operation-controls.ts';

const COLUMNS = `o.*, c.expected, c.queued, c.scheduled, c.sending, c.unknown, c.delivered, c.failed, c.ignored,
  c.cancelled, c.superseded, c.excluded,
  (o.closed_at is null and (o.start_attempts > 2
    or (o.start_confirmed_at is null and o.created_at < now() - interval '10 seconds'))) as stalled`;
const TABLES = 'operations o join operation_counts c on c.operation_id = o.id';

/** What is needed to write a new operation down. */
export type NewOperation = Pick<
  Operation,
  'id' | 'tenantId' | 'kind' | 'surface' | 'workflowId' | 'interactive' | 'target' | 'selection' | 'options'
> & {
  reason?: string;
  ticket?: string;
  estimatedEvents?: number;
  caller: { actor: string; keyId?: string };
  selected: boolean;
};

/** Writes an accepted operation down, with its counts and its pace. */
export async function insertOperation(db: Queryable, operation: NewOperation): Promise<void> {
  await db.query(
    `with o as (
      insert into operations (id, tenant_id, kind, surface, workflow_id, interactive, target, selection, options, reason,
        ticket, requested_by, actor, watched, state, rate_per_second, max_concurrency, not_before, watermark, selected_at,
        next_event, next_event_at, estimated_events)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $17, $18, 'accepted', $13, $14, $15, clock_timestamp(),
        case when $16 then now() end, 'start', now(), $19)
      returning id
    ), counts as (insert into operation_counts (operation_id) select id from o)
    insert into operation_pacing (operation_id) select id from o`,
    [
      operation.id,
      operation.tenantId,
      operation.kind,
      operation.surface,
      operation.workflowId,
      operation.interactive,
      operation.target,
      JSON.stringify(operation.selection),
      JSON.stringify(operation.options),
      operation.reason ?? null,
      operation.ticket ?? null,
      operation.caller.keyId ?? null,
      // A ramp begins low, and is led up to the rate that was asked for.
      operation.options.ramp?.startPerSecond ?? operation.options.ratePerSecond ?? null,
      operation.options.maxConcurrency ?? null,
      operation.options.notBefore ?? null,
      operation.selected,
      operation.caller.actor,
      isWatched(operation.options),
      operation.estimatedEvents ?? null,
    ],
  );
}

/** One operation of a tenant. */
export async function findOperation(
  db: Queryable,
  tenantId: string,
  operationId: string,
): Promise<Operation | undefined> {
  const { rows } = await db.query(`select ${COLUMNS} from ${TABLES} where o.id = $1 and o.tenant_id = $2`, [
    operationId,
    tenantId,
  ]);
  return rows[0] && operationFrom(rows[0]);
}

/** One operation, for the engine itself, which works for every tenant. */
export async function loadOperation(db: Queryable, operationId: string): Promise<Operation | undefined> {
  const { rows } = await db.query(`select ${COLUMNS} from ${TABLES} where o.id = $1`, [operationId]);
  return rows[0] && operationFrom(rows[0]);
}

/** Operations of a tenant, newest first, before a given one: all, or those of a surface, or that came with an estimate. */
export async function listOperations(
  db: Queryable,
  tenantId: string,
  page: { state?: OperationState[]; surface?: SurfaceName; estimated?: true; before?: string; limit: number },
): Promise<Operation[]> {
  const { rows } = await db.query(
    `select ${COLUMNS} from ${TABLES}
     where o.tenant_id = $1 and ($2::text[] is null or o.state = any($2)) and ($3::uuid is null or o.id < $3)
       and ($5::text is null or o.surface = $5) and (not $6 or o.estimated_events is not null)
     order by o.id desc limit $4`,
    [
      tenantId,
      page.state ?? null,
      page.before ?? null,
      page.limit,
      page.surface ?? null,
      page.estimated ?? false,
    ],
  );
  return rows.map(operationFrom);
}

/**
 * Commits what the owner wants of an operation, with a new revision; every slice reads it at its next claim. Fenced by
 * the states that take it; undefined where the state does not, or the operation is not the tenant's.
 */
export async function commitControl(
  db: Queryable,
  tenantId: string,
  operationId: string,
  change: { control?: Control; rate?: { perSecond: number | null }; pausedForMs?: number },
  from: OperationState[],
): Promise<Operation | undefined> {
  const { rowCount } = await db.query(
    `with changed as (update operations set
      control = coalesce($3, control),
      control_revision = control_revision + 1,
      rate_per_second = case when $4 then $5::float8 else rate_per_second end,
      state = case when $3 = 'pause' then 'paused'
        when $3 = 'cancel' then 'closing'
        when $3 = 'run' and state in ('paused', 'halted') then case when selected_at is null then 'selecting' else 'running' end
        else state end,
      expires_at = case when $3 = 'pause' then now() + $6::float8 * interval '1 millisecond'
        when $3 is not null then null else expires_at end,
      next_event = 'control', next_event_at = now()
    where id = $1 and tenant_id = $2 and state = any($7) and control <> 'cancel' returning id
    ), let_go as (
      -- Whoever resumes what was halted wants its items sent.
      update canaries k set state = 'passed' from changed c where k.operation_id = c.id and k.state = 'held' and $3 = 'run'
    ), forgotten as (
      -- What comes next is judged by itself.
      delete from operation_pulses u using changed c where u.operation_id = c.id and $3 = 'run'
    ), paced as (
      -- A new rate counts from now: the next arrival under the old one may be minutes away.
      update operation_pacing p set arrival_at = least(p.arrival_at, now()) from changed c where p.operation_id = c.id and $4
    )
    select id from changed`,
    [
      operationId,
      tenantId,
      change.control ?? null,
      change.rate !== undefined,
      change.rate?.perSecond ?? null,
      change.pausedForMs ?? null,
      from,
    ],
  );
  return rowCount === 1 ? findOperation(db, tenantId, operationId) : undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it
function operationFrom(row: any): Operation {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind,
    surface: row.surface,
    workflowId: row.workflow_id,
    interactive: row.interactive,
    target: row.target,
    selection: row.selection,
    options: row.options,
    ...(row.reason ? { reason: row.reason } : {}),
    ...(row.ticket ? { ticket: row.ticket } : {}),
    requestedBy: row.actor ?? ITSELF,
    state: row.state,
    control: row.control,
    controlRevision: row.control_revision,
    ...(row.rate_per_second !== null ? { ratePerSecond: row.rate_per_second } : {}),
    watermark: row.watermark,
    counts: {
      expected: row.expected,
      queued: row.queued,
      sending: row.sending,
      scheduled: row.scheduled,
      delivered: row.delivered,
      failed: row.failed,
      unknown: row.unknown,
      ignored: row.ignored,
      cancelled: row.cancelled,
      superseded: row.superseded,
      excluded: row.excluded,
    },
    ...(row.next_event ? { nextEvent: row.next_event } : {}),
    ...(row.next_event_at ? { nextEventAt: row.next_event_at } : {}),
    stalled: row.stalled,
    ...(row.estimated_events === null ? {} : { estimatedEvents: row.estimated_events }),
    createdAt: row.created_at,
    ...(row.closed_at ? { closedAt: row.closed_at } : {}),
    ...(row.halt ? { halt: row.halt } : {}),
    ...(row.report ? { report: row.report } : {}),
  };
}

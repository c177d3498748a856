import type { ActBy } from '../../domain/audit/audit-action.ts';
import type { ClosureReport, Operation, OperationOptions } from '../../domain/operations/operation.ts';
import type { OperationCounts } from '../../domain/operations/operation-counts.ts';
import type { Control, OperationKind, OperationState } from '../../domain/operations/operation-state.ts';
import { isSingle, type Selection } from '../../domain/operations/selection.ts';
import { isWatched } from '../../domain/operations/watch.ts';
import { present } from '../../domain/present.ts';
import type { SurfaceName } from '../../domain/tenancy/surface-name.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { TimeBound } from '../../domain/time/instant.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { bound } from '../selection/filter-conditions.ts';
import { ITSELF } from './operation-controls.ts';

/** By name: a statement that is prepared must not get other columns by a migration. */
const COLUMNS = `o.id, o.tenant_id, o.kind, o.surface, o.workflow_id, o.interactive, o.target, o.new_identity, o.selection,
  o.options, o.reason, o.ticket, o.actor, o.state, o.control, o.control_revision, o.rate_per_second, o.watermark,
  o.next_event, o.next_event_at, o.selected_at, o.estimated_events, o.created_at, o.closed_at, o.halt, o.report,
  o.running_since, o.ended_before, c.expected, c.queued, c.scheduled, c.sending, c.unknown, c.delivered, c.failed, c.ignored,
  c.cancelled, c.superseded, c.excluded, (select p.items from plans p where p.operation_id = o.id) as planned_items,
  (o.closed_at is null and (o.start_attempts > 2
    or (o.start_confirmed_at is null and o.created_at < now() - interval '10 seconds'))) as stalled`;
const TABLES = 'operations o join operation_counts c on c.operation_id = o.id';

/** The fields with which a new operation is written down. */
export type NewOperation = Pick<
  Operation,
  'id' | 'tenantId' | 'kind' | 'surface' | 'workflowId' | 'interactive' | 'target' | 'selection' | 'options'
> & {
  newIdentity?: boolean;
  reason?: string;
  ticket?: string;
  estimatedEvents?: number;
  caller: ActBy;
  selected: boolean;
  /** It waits as a plan; it is cancelled by itself where nobody executes it for so long. */
  plannedForMs?: number;
  /** It does not run before a policy has looked at it. */
  held?: boolean;
};

/** Writes an operation down that is accepted, or that is to be planned, with its counts and its pace; returns it. */
export async function insertOperation(db: Queryable, operation: NewOperation): Promise<Operation> {
  const inserted = await db.query<OperationRow>({
    name: 'insert-operation',
    text: `with o as (
      insert into operations (id, tenant_id, kind, surface, workflow_id, interactive, target, selection, options, reason,
        ticket, requested_by, actor, watched, state, rate_per_second, max_concurrency, not_before, watermark, selected_at,
        next_event, next_event_at, estimated_events, expires_at, new_identity, single, control)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $17, $18, case when $20::float8 is null then 'accepted' else 'planned' end, $13, $14, $15, clock_timestamp(),
        case when $16 then now() end, 'start', now(), $19,
        now() + $20::float8 * interval '1 millisecond', $21, $22, case when $23 then 'pause' else 'run' end)
      returning *
    ), c as (insert into operation_counts (operation_id) select id from o returning *),
    pacing as (insert into operation_pacing (operation_id) select id from o)
    select ${COLUMNS} from o join c on c.operation_id = o.id`,
    values: [
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
      operation.plannedForMs ?? null,
      operation.newIdentity ?? false,
      isSingle(operation.selection),
      operation.held ?? false,
    ],
  });
  return operationFrom(onlyRow(inserted));
}

/** One operation of a tenant. */
export async function findOperation(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<Operation | undefined> {
  const { rows } = await db.query<OperationRow>(
    `select ${COLUMNS} from ${TABLES} where o.id = $1 and o.tenant_id = $2`,
    [operationId, tenantId],
  );
  return rows[0] && operationFrom(rows[0]);
}

/** One operation, for the engine itself, which works for every tenant. */
export async function loadOperation(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<Operation | undefined> {
  const { rows } = await db.query<OperationRow>({
    name: 'load-operation',
    text: `select ${COLUMNS} from ${TABLES} where o.id = $1`,
    values: [operationId],
  });
  return rows[0] && operationFrom(rows[0]);
}

/** Gives an operation the words that it was started without. */
export async function giveWords(
  tx: Transaction,
  operationId: Id<'operation'>,
  { reason, ticket }: Pick<Operation, 'reason' | 'ticket'>,
): Promise<void> {
  await tx.query(
    `update operations set reason = coalesce($2, reason), ticket = coalesce($3, ticket) where id = $1`,
    [operationId, reason ?? null, ticket ?? null],
  );
}

/** Which operations of a tenant are listed; members join by AND, the entries of a list by OR. */
export interface OperationFilter {
  state?: OperationState[];
  kind?: OperationKind;
  surface?: SurfaceName;
  /** Who asked for them, as credentials name them. */
  actors?: string[];
  /** They have items for one of these. */
  endpointIds?: Id<'endpoint'>[];
  /** When they were accepted. */
  from?: TimeBound;
  to?: TimeBound;
  /** In the reason or the ticket, in upper or lower case. */
  text?: string;
  /** They came with an estimate. */
  estimated?: true;
}

/** Operations of a tenant, newest first, before a given one. */
export async function listOperations(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { before, limit, ...filter }: OperationFilter & { before?: string; limit: number },
): Promise<Operation[]> {
  const p = new Parameters();
  const where = [`o.tenant_id = ${p.add(tenantId)}`];
  if (before) where.push(`o.id < ${p.add(before)}::uuid`);
  if (filter.state) where.push(`o.state = any(${p.add(filter.state)})`);
  if (filter.kind) where.push(`o.kind = ${p.add(filter.kind)}`);
  if (filter.surface) where.push(`o.surface = ${p.add(filter.surface)}`);
  // Those that nobody asked for have no actor of their own.
  if (filter.actors) {
    const actors = p.add(filter.actors);
    const mine = filter.actors.includes(ITSELF) ? ' or o.actor is null' : '';
    where.push(`(o.actor = any(${actors})${mine})`);
  }
  if (filter.endpointIds)
    where.push(`exists (select from operation_endpoints x
      where x.operation_id = o.id and x.endpoint_id = any(${p.add(filter.endpointIds)}::uuid[]))`);
  if (filter.from) where.push(bound('o.created_at', '>', filter.from, p));
  if (filter.to) where.push(bound('o.created_at', '<', filter.to, p));
  if (filter.text !== undefined) {
    const pattern = p.add(`%${filter.text.replace(/[\\%_]/g, '\\$&')}%`);
    where.push(`(o.reason ilike ${pattern} or o.ticket ilike ${pattern})`);
  }
  if (filter.estimated) where.push('o.estimated_events is not null');
  const { rows } = await db.query<OperationRow>(
    `select ${COLUMNS} from ${TABLES} where ${where.join('\n and ')} order by o.id desc limit ${p.add(limit)}`,
    p.values,
  );
  return rows.map(operationFrom);
}

/** The newest operations of a tenant, those that are open, of each so many at most, and those named; newest first. */
export async function presentOperations(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { newest, open, named }: { newest: number; open: number; named: readonly Id<'operation'>[] },
): Promise<Operation[]> {
  const { rows } = await db.query<OperationRow>(
    `with open as materialized (select id from operations where closed_at is null and tenant_id = $1)
     select ${COLUMNS} from ${TABLES} where o.id in (
       (select n.id from operations n where n.tenant_id = $1 order by n.id desc limit $2)
       union (select p.id from open p order by p.id desc limit $3)
       union select m.id from operations m where m.id = any($4::uuid[]) and m.tenant_id = $1)
     order by o.id desc`,
    [tenantId, newest, open, named],
  );
  return rows.map(operationFrom);
}

type OperationRow = OperationCounts &
  RunningRow & {
    id: Id<'operation'>;
    tenant_id: Id<'tenant'>;
    kind: OperationKind;
    surface: SurfaceName;
    workflow_id: string;
    interactive: boolean;
    target: Operation['target'];
    new_identity: boolean;
    selection: Selection;
    options: OperationOptions;
    reason: string | null;
    ticket: string | null;
    actor: string | null;
    state: OperationState;
    control: Control;
    control_revision: number;
    rate_per_second: number | null;
    watermark: Date;
    next_event: string | null;
    next_event_at: Date | null;
    stalled: boolean;
    selected_at: Date | null;
    estimated_events: number | null;
    planned_items: number | null;
    created_at: Date;
    closed_at: Date | null;
    halt: NonNullable<Operation['halt']> | null;
    report: ClosureReport | null;
  };

/** Both are written together, when it begins to run. */
type RunningRow = { running_since: Date; ended_before: number } | { running_since: null; ended_before: null };

function operationFrom(row: OperationRow): Operation {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind,
    surface: row.surface,
    workflowId: row.workflow_id,
    interactive: row.interactive,
    target: row.target,
    newIdentity: row.new_identity,
    selection: row.selection,
    options: row.options,
    requestedBy: row.actor ?? ITSELF,
    state: row.state,
    control: row.control,
    controlRevision: row.control_revision,
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
    stalled: row.stalled,
    ...(row.running_since ? { running: { since: row.running_since, endedBefore: row.ended_before } } : {}),
    selected: row.selected_at !== null,
    createdAt: row.created_at,
    ...present({
      // An empty text says as little as none.
      reason: row.reason || null,
      ticket: row.ticket || null,
      ratePerSecond: row.rate_per_second,
      nextEvent: row.next_event,
      nextEventAt: row.next_event_at,
      estimatedEvents: row.estimated_events,
      plannedItems: row.planned_items,
      closedAt: row.closed_at,
      halt: row.halt,
      report: row.report,
    }),
  };
}

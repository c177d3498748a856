import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { PARTNER_DIRECTIONS } from '../../../domain/endpoints/preparation.ts';
import type { DeliveryState } from '../../../domain/sending/delivery-state.ts';
import type { ExecutionState } from '../../../domain/sending/execution-state.ts';
import { fixedId, type Id } from '../../../domain/tenancy/typed-id.ts';
import type { TimeBound } from '../../../domain/time/instant.ts';
import { Parameters } from '../../../store/db/parameters.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { bound } from '../../../store/selection/filter-conditions.ts';
import { isCurrent } from '../../../store/tenancy/endpoint-versions.ts';
import { type FileFaultCode, reasonsOf } from '../file-fault.ts';
import type { FileRun, FileStatus } from '../file-status.ts';

/** Which way the files of an endpoint go; unknown where it has no partner. */
export type FileDirection = (typeof PARTNER_DIRECTIONS)[number] | 'UNKNOWN';

/** An execution as one of a file for a partner. */
export interface FileExecution extends FileRun {
  id: Id<'execution'>;
  state: ExecutionState;
  reason?: string;
  createdAt: Date;
  updatedAt: Date;
  /** When it ended. */
  processedAt?: Date;
  /** The same in whole microseconds since 1970, for the position in a list: a Date has milliseconds only. */
  processedAtMicros?: string;
  parentId?: Id<'execution'>;
  child?: { id: Id<'execution'>; open: boolean };
  inChain: boolean;
  deliveryState: DeliveryState;
  failedAttempts: number;
  direction: FileDirection;
  endpoint: { id: Id<'endpoint'>; handle: string; state: EndpointState };
  event: { id: Id<'event'>; type: string; source?: string; name: string; payloadBytes: number };
  payloadKept: boolean;
  /** Its sender sent the event again, and a later delivery stands for it. */
  resent: boolean;
}

/** A place in the order in which executions ended, behind the one with this id. */
export interface EndedPosition {
  processedAtMicros: string;
  id: Id<'execution'>;
}

/** Greater than every id: a place behind everything that ended at one time. */
export const LAST_ID = fixedId('execution', 'ffffffff-ffff-ffff-ffff-ffffffffffff');

/** The filter of a list of file executions; members join by AND. */
export interface FileFilter {
  status?: FileStatus;
  faultCode?: FileFaultCode;
  endpointIds?: Id<'endpoint'>[];
  from?: TimeBound;
  to?: TimeBound;
  /** Part of the name of the file, regardless of case. */
  name?: string;
}

/** The name of a file: the client's own id of the event, or else its type. */
const NAME = 'coalesce(v.external_id, v.type)';
const MICROS = '(extract(epoch from e.finished_at) * 1000000)::bigint::text';
/** SQL: the child of an execution `e`, where there is one `that` is so. A look-up each: EXISTS may be hashed over all there are. */
const child = (that = ''): string =>
  `(select c.id from executions c where c.delivery_id = e.delivery_id and c.parent_id = e.id and c.keeps_slot ${that} limit 1)`;
const PARTLY = `(select a.number from attempts a
  where a.execution_id = e.id and a.outcome = 'delivered' and a.http_status = 207 limit 1) is not null`;

/** The rules of `fileStatus` as conditions; a test compares the two. */
const STATUS_CONDITIONS: Record<FileStatus, string> = {
  COMPLETED: `e.state = 'delivered' and not (${PARTLY})`,
  PARTIALLY_COMPLETED: `e.state = 'delivered' and ${PARTLY}`,
  FAILED: `l.undelivered and e.state = 'failed' and ${child()} is null`,
  IGNORED: `l.undelivered and e.state <> 'failed' and ${child()} is null`,
  IN_PROGRESS: 'l.finished_at is null',
  RETRYING: `l.undelivered and ${child('and c.open')} is not null`,
  RETRIED: `l.undelivered and ${child('and not c.open')} is not null`,
  STARTED: 'false',
};

/** The execution of a row of the list `l`: one look-up each. */
const LISTED = 'cross join lateral (select x.* from executions x where x.id = l.execution_id limit 1) e';

/** Everything about the executions of a `page`, a common table. */
const SELECT = `select e.id, e.state, e.reason, e.created_at, e.finished_at, e.parent_id,
    ${MICROS} as finished_micros,
    (e.keeps_slot or e.parent_id is null) as in_chain, c.id as child_id, c.open as child_open,
    greatest(e.created_at, e.finished_at, a.last_at, c.created_at, c.finished_at) as updated_at,
    coalesce(a.partly, false) as partly, a.failed as failed_attempts, d.state as delivery_state, d.payload_bytes,
    d.resent_by is not null as resent,
    v.id as event_id, v.type, v.source, ${NAME} as name,
    (select b.event_id from payloads b where b.event_id = v.id) is not null as payload_kept,
    n.id as endpoint_id, n.handle, n.state as endpoint_state, w.partner->>'direction' as direction
  from page e
  join deliveries d on d.id = e.delivery_id
  join events v on v.id = d.event_id
  join endpoints n on n.id = e.endpoint_id
  join endpoint_versions w on ${isCurrent('w', 'n')}
  left join lateral (
    select x.* from executions x where x.delivery_id = e.delivery_id and x.parent_id = e.id and x.keeps_slot limit 1) c on true
  cross join lateral (
    select count(*) filter (where t.outcome <> 'delivered')::int as failed,
      bool_or(t.outcome = 'delivered' and t.http_status = 207) as partly,
      max(t.started_at + t.duration_ms * interval '1 millisecond') as last_at
    from attempts t where t.execution_id = e.id
  ) a`;

/** One execution of a tenant. */
export async function findFileExecution(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'execution'>,
): Promise<FileExecution | undefined> {
  const { rows } = await db.query<FileExecutionRow>(
    `with page as (select * from executions where tenant_id = $1 and id = $2) ${SELECT}`,
    [tenantId, id],
  );
  return rows[0] && fileExecutionFrom(rows[0]);
}

/**
 * Executions of a tenant in the order in which they ended, behind a place and before a time: the horizon of
 * `readEndedHorizon`, read by an earlier statement.
 */
export async function endedExecutions(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { after: EndedPosition; before: string; limit: number; only?: 'failed' },
): Promise<FileExecution[]> {
  const { rows } = await db.query<FileExecutionRow>(
    `with page as materialized (
      select e.* from listed_executions l ${LISTED}
      where l.tenant_id = $1 and (l.finished_at, l.execution_id) > (${microsAsTime('$2')}, $3::uuid)
        and l.finished_at < $4::timestamptz ${page.only === 'failed' ? `and l.undelivered and e.state = 'failed'` : ''}
      order by l.finished_at, l.execution_id limit $5
    ) ${SELECT} order by e.finished_at, e.id`,
    [tenantId, page.after.processedAtMicros, page.after.id, page.before, page.limit],
  );
  return rows.map(fileExecutionFrom);
}

/** Executions of a tenant, open ones first, then those that ended, newest first, behind a given one. */
export async function listFileExecutions(
  db: Queryable,
  tenantId: Id<'tenant'>,
  filter: FileFilter,
  page: { after?: { processedAtMicros?: string; id: Id<'execution'> }; limit: number },
): Promise<FileExecution[]> {
  const p = new Parameters();
  const where = [`l.tenant_id = ${p.add(tenantId)}`];
  if (filter.status) where.push(STATUS_CONDITIONS[filter.status]);
  if (filter.faultCode) {
    const reasons = reasonsOf(filter.faultCode);
    where.push(`l.undelivered and e.state = 'failed'`);
    where.push(
      'in' in reasons
        ? `e.reason = any(${p.add(reasons.in)})`
        : `coalesce(e.reason <> all(${p.add(reasons.notIn)}), true)`,
    );
  }
  if (filter.endpointIds) where.push(`e.endpoint_id = any(${p.add(filter.endpointIds)}::uuid[])`);
  if (filter.from) where.push(bound('l.finished_at', '>', filter.from, p));
  if (filter.to) where.push(bound('l.finished_at', '<', filter.to, p));
  if (filter.name !== undefined)
    where.push(`exists (select from deliveries d join events v on v.id = d.event_id
      where d.id = e.delivery_id and position(lower(${p.add(filter.name)}) in lower(${NAME})) > 0)`);
  if (page.after) {
    const id = `${p.add(page.after.id)}::uuid`;
    where.push(
      page.after.processedAtMicros === undefined
        ? `(l.finished_at is not null or l.execution_id < ${id})`
        : `(l.finished_at, l.execution_id) < (${microsAsTime(p.add(page.after.processedAtMicros))}, ${id})`,
    );
  }
  const { rows } = await db.query<FileExecutionRow>(
    `with page as materialized (
      select e.* from listed_executions l ${LISTED} where ${where.join('\n and ')}
      order by l.finished_at desc nulls first, l.execution_id desc limit ${p.add(page.limit)}
    ) ${SELECT} order by e.finished_at desc nulls first, e.id desc`,
    p.values,
  );
  return rows.map(fileExecutionFrom);
}

/** Endpoints of a tenant that have, or had before they were deleted, this handle, and whose files go this way now. */
export async function endpointsOfPartnership(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { handle, direction }: { handle?: string | undefined; direction?: FileDirection | undefined },
): Promise<Id<'endpoint'>[]> {
  const { rows } = await db.query<{ id: Id<'endpoint'> }>(
    `select n.id from endpoints n
     join endpoint_versions w on ${isCurrent('w', 'n')}
     where n.tenant_id = $1 and ($2::text is null or n.handle = $2)
       and ($3::text is null or coalesce(w.partner->>'direction', 'UNKNOWN') = $3)
     order by n.id`,
    [tenantId, handle ?? null, direction ?? null],
  );
  return rows.map((row) => row.id);
}

function microsAsTime(placeholder: string): string {
  return `timestamptz 'epoch' + ${placeholder}::bigint * interval '1 microsecond'`;
}

interface FileExecutionRow {
  id: Id<'execution'>;
  state: ExecutionState;
  reason: string | null;
  created_at: Date;
  updated_at: Date;
  finished_at: Date | null;
  finished_micros: string | null;
  parent_id: Id<'execution'> | null;
  child_id: Id<'execution'> | null;
  child_open: boolean | null;
  in_chain: boolean;
  partly: boolean;
  delivery_state: DeliveryState;
  failed_attempts: number;
  direction: (typeof PARTNER_DIRECTIONS)[number] | null;
  endpoint_id: Id<'endpoint'>;
  handle: string;
  endpoint_state: EndpointState;
  event_id: Id<'event'>;
  type: string;
  source: string | null;
  name: string;
  payload_bytes: number;
  payload_kept: boolean;
  resent: boolean;
}

function fileExecutionFrom(row: FileExecutionRow): FileExecution {
  return {
    id: row.id,
    state: row.state,
    ...(row.reason !== null ? { reason: row.reason } : {}),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(row.finished_at && row.finished_micros
      ? { processedAt: row.finished_at, processedAtMicros: row.finished_micros }
      : {}),
    ...(row.parent_id ? { parentId: row.parent_id } : {}),
    ...(row.child_id && row.child_open !== null ? { child: { id: row.child_id, open: row.child_open } } : {}),
    inChain: row.in_chain,
    partly: row.partly,
    deliveryState: row.delivery_state,
    failedAttempts: row.failed_attempts,
    direction: row.direction ?? 'UNKNOWN',
    endpoint: { id: row.endpoint_id, handle: row.handle, state: row.endpoint_state },
    event: {
      id: row.event_id,
      type: row.type,
      ...(row.source !== null ? { source: row.source } : {}),
      name: row.name,
      payloadBytes: row.payload_bytes,
    },
    payloadKept: row.payload_kept,
    resent: row.resent,
  };
}

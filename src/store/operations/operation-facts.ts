import type { OperationFacts } from '../../domain/operations/next-step.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import { CANARY_WAITS_MS } from '../../domain/operations/watch.ts';
import { present } from '../../domain/present.ts';
import { OPENS_MS } from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import { clockRunsOut, heldUntil, wholeClockRunsOut } from '../policy/held-by-windows.ts';
import { WAITS_UNTIL } from '../sending/disabled-endpoints.ts';
import { lookedAtInMs, readyEndpoints } from '../sending/ready-endpoints.ts';
import { countWorkers } from '../sending/workers.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { firstJoined } from './joined.ts';
import { loadOperation } from './operations.ts';

/** The facts of an operation, the operation itself, and the execution that it waits for where it joined one. */
export type FactsAndJoined = OperationFacts & { operation: Operation; joinedExecutionId?: Id<'execution'> };

type FactsRow = {
  age_ms: number;
  expires_in_ms: number | null;
  lease_in_ms: number | null;
  reconcile_in_ms: number | null;
  due_in_ms: number | null;
  due_window_holds: boolean | null;
  arrival_in_ms: number | null;
  judge_in_ms: number | null;
  planned: boolean | null;
};

/** Reads the facts that decide an operation's next step; undefined where there is no such operation. */
export async function operationFacts(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<FactsAndJoined | undefined> {
  const operation = await loadOperation(db, operationId);
  if (!operation) return undefined;
  const { rows } = await db.query<FactsRow>(
    `select
      extract(epoch from clock_timestamp() - o.created_at)::float8 * 1000 as age_ms,
      extract(epoch from o.expires_at - clock_timestamp())::float8 * 1000 as expires_in_ms,
      (select extract(epoch from min(c.lease_until) - clock_timestamp())::float8 * 1000 from claims c
        where c.worked_by = case when o.interactive then '${LIVE_LANE}'::uuid else o.id end) as lease_in_ms,
      (select extract(epoch from max(q.reconcile_until) - clock_timestamp())::float8 * 1000 from execution_records r
        cross join lateral (
          select x.* from queue x where x.delivery_id = r.delivery_id and x.execution_id = r.id limit 1) q
        where r.operation_id = o.id and r.outcome is null and q.state = 'unknown') as reconcile_in_ms,
      ((extract(epoch from due.at) - extract(epoch from clock_timestamp())) * 1000)::float8 as due_in_ms, due.window_holds as due_window_holds,
      (select (extract(epoch from p.arrival_at) - extract(epoch from clock_timestamp()))::float8 * 1000 from operation_pacing p
        where p.operation_id = o.id and o.rate_per_second is not null and p.arrival_at > clock_timestamp()) as arrival_in_ms,
      ${JUDGE_IN_MS} as judge_in_ms,
      (select p.planned_at is not null from plans p where p.operation_id = o.id) as planned
     from operations o left join lateral (${FIRST_INTERACTIVE}) due on true where o.id = $1`,
    [operationId],
  );
  const row = rows[0] as FactsRow;
  const { state, control, interactive, selected, counts, kind, halt } = operation;
  const due = interactive ? firstDue(row) : await firstClaimable(db, operationId);
  // In a replay only its own executions count, and while an operation sends items of its own nobody asks about others.
  const waitsForOthers = kind === 'retry' && counts.excluded + counts.superseded > 0;
  const joined =
    waitsForOthers && counts.queued + counts.scheduled + counts.sending === 0
      ? await firstJoined(db, operationId)
      : undefined;
  return {
    operation,
    state,
    control,
    selected,
    interactive,
    counts,
    frozen: operation.report !== undefined,
    stuck: state === 'halted' && halt?.reason === 'failed_step',
    ...(due && {
      claimableInMs: Math.max(0, due.inMs, row.arrival_in_ms ?? 0),
      windowHolds: due.windowHolds,
    }),
    ...present({
      leaseInMs: row.lease_in_ms,
      reconcileInMs: row.reconcile_in_ms,
      judgeInMs: row.judge_in_ms,
      joinedInMs: joined?.dueInMs,
      joinedExecutionId: joined?.executionId,
      expiresInMs: row.expires_in_ms,
      planned: row.planned,
    }),
    ageMs: row.age_ms,
    aliveWorkers: (await countWorkers(db)).polling,
  };
}

/** The first of the items of the interactive operation `o`, when it may be claimed, and whether a window holds it. */
const FIRST_INTERACTIVE = `select greatest(f.at, f.held_until) as at, coalesce(f.held_until > f.at, false) as window_holds
      from (
        select case when n.state = 'enabled' then greatest(e.due_at, p.floor_until,
            case when v.rate_per_second is not null then p.arrival_at end) else greatest(now(), ${WAITS_UNTIL}) end as at,
          case when n.state = 'enabled' and not o.single then ${heldUntil('n.tenant_id', 'n.id')} end as held_until
        from execution_records r cross join lateral (
          select q.* from queue q where q.delivery_id = r.delivery_id and q.execution_id = r.id limit 1) e
        join endpoints n on n.id = e.endpoint_id
        join endpoint_versions v on ${isCurrent('v', 'n')}
        join endpoint_pacing p on p.endpoint_id = n.id
        where o.interactive and r.operation_id = o.id and r.outcome is null and e.state in ('queued', 'scheduled')
      ) f order by 1 limit 1`;

/** A canary's minute, which stands still while freeze windows hold its endpoint. */
const CANARY_LATE_AT = clockRunsOut(
  { tenant: 'n.tenant_id', endpoint: 'k.endpoint_id', operation: 'o', since: 'k.began_at' },
  `${CANARY_WAITS_MS}`,
);

/**
 * When the first of its canaries that are out is late, or the span of a ramp with something to judge is over; null
 * where nothing of it is judged.
 */
const JUDGE_IN_MS = `(case when o.watched and o.control = 'run' and o.state = 'running' then extract(epoch from least(
        (select min(${CANARY_LATE_AT}) from canaries k join endpoints n on n.id = k.endpoint_id
          where k.operation_id = o.id and k.state = 'testing' and k.claimed > 0),
        case when o.rate_per_second < coalesce((o.options->>'ratePerSecond')::float8, 'infinity')
            and exists (select from operation_pulses u where u.operation_id = o.id and u.first_attempts > 0
              and u.second >= date_trunc('second', o.ramped_at))
          then ${wholeClockRunsOut('o.ramped_at', "(o.options->'ramp'->>'everySeconds')::float8 * 1000")} end
      ) - clock_timestamp())::float8 * 1000 end)`;

/** When something of an operation may be claimed, and whether it is a freeze window that has to end before. */
interface Due {
  inMs: number;
  windowHolds: boolean;
}

function firstDue({ due_in_ms: inMs, due_window_holds: windowHolds }: FactsRow): Due | undefined {
  return inMs === null ? undefined : { inMs: lookedAtInMs(inMs), windowHolds: windowHolds ?? false };
}

async function firstClaimable(db: Queryable, operationId: Id<'operation'>): Promise<Due | undefined> {
  const endpoints = await readyEndpoints(db, operationId);
  return endpoints
    .map(({ claimableInMs: inMs, windowHolds }) => ({ inMs, windowHolds }))
    .reduce<Due | undefined>((first, each) => (first && first.inMs <= each.inMs ? first : each), undefined);
}

/** The next step of a run, as it is written down. */
export interface NextEvent {
  what: string;
  inMs: number;
  /** The control that the run has seen. */
  seenRevision?: number;
  /** The execution of others that it waits for. */
  awaits?: Id<'execution'>;
}

/** Writes down the workflow's next step, when it comes at the latest, and which control the workflow has seen. */
export async function writeNextEvent(
  db: Queryable,
  operationId: Id<'operation'>,
  { what, inMs, seenRevision, awaits }: NextEvent,
): Promise<void> {
  await db.query(
    `update operations set next_event = $2, next_event_at = clock_timestamp() + $3::float8 * interval '1 millisecond',
       control_seen = greatest(control_seen, coalesce($4, control_seen)), awaited_execution_id = $5,
       start_confirmed_at = coalesce(start_confirmed_at, now()), start_attempts = 0, start_again_at = null
     where id = $1 and closed_at is null`,
    [operationId, what, inMs, seenRevision ?? null, awaits ?? null],
  );
}

interface ControlRow {
  run: boolean;
  paced: boolean;
  watched: boolean;
  canary: number | null;
  claimable_in_ms: number;
}

/** Reads the control that a slice asks for before each claim: whether it may run, and the operation's own pace. */
export async function readControl(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<{ run: boolean; paced: boolean; watched: boolean; canary?: number; claimableInMs: number }> {
  const { rows } = await db.query<ControlRow>({
    name: 'read-control',
    text: `select o.control = 'run' as run, o.rate_per_second is not null or o.max_concurrency is not null as paced,
      o.watched, (o.options->'canary'->>'count')::int as canary,
      case when o.rate_per_second is not null and p.arrival_at > clock_timestamp()
        then greatest(0, (extract(epoch from p.arrival_at) - extract(epoch from clock_timestamp()))::float8 * 1000 - ${OPENS_MS.bulk}) else 0 end
        as claimable_in_ms
      from operations o join operation_pacing p on p.operation_id = o.id where o.id = $1`,
    values: [operationId],
  });
  const { run, paced, watched, canary, claimable_in_ms: claimableInMs } = rows[0] as ControlRow;
  return { run, paced, watched, claimableInMs, ...present({ canary }) };
}

import type { OperationFacts } from '../../domain/operations/next-step.ts';
import { OPENS_MS } from '../../domain/sending/pacing.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import { readyEndpoints } from '../sending/ready-endpoints.ts';
import { countWorkers } from '../sending/workers.ts';
import { loadOperation } from './operations.ts';

/** Reads what decides an operation's next step; undefined where there is no such operation. */
export async function operationFacts(
  db: Queryable,
  operationId: string,
): Promise<OperationFacts | undefined> {
  const operation = await loadOperation(db, operationId);
  if (!operation) return undefined;
  const { rows } = await db.query(
    `select o.selected_at is not null as selected,
      extract(epoch from clock_timestamp() - o.created_at)::float8 * 1000 as age_ms,
      extract(epoch from o.expires_at - clock_timestamp())::float8 * 1000 as expires_in_ms,
      (select extract(epoch from min(c.lease_until) - clock_timestamp())::float8 * 1000 from claims c
        where c.worked_by = case when o.interactive then '${LIVE_LANE}'::uuid else o.id end) as lease_in_ms,
      (select extract(epoch from max(e.reconcile_until) - clock_timestamp())::float8 * 1000 from executions e
        where e.operation_id = o.id and e.state = 'unknown') as reconcile_in_ms,
      (select extract(epoch from min(case when n.state = 'enabled' then greatest(e.due_at, p.floor_until,
            case when v.rate_per_second is not null then p.arrival_at end) else now() end)
          - clock_timestamp())::float8 * 1000
        from executions e join endpoints n on n.id = e.endpoint_id
        join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
        join endpoint_pacing p on p.endpoint_id = n.id
        where o.interactive and e.operation_id = o.id and e.state in ('queued', 'scheduled')) as due_in_ms,
      (select extract(epoch from p.arrival_at - clock_timestamp())::float8 * 1000 from operation_pacing p
        where p.operation_id = o.id and o.rate_per_second is not null and p.arrival_at > clock_timestamp()) as arrival_in_ms
     from operations o where o.id = $1`,
    [operationId],
  );
  const row = rows[0];
  const dueInMs = operation.interactive ? row.due_in_ms : await firstClaimable(db, operationId);
  return {
    state: operation.state,
    control: operation.control,
    selected: row.selected,
    interactive: operation.interactive,
    counts: operation.counts,
    ...(dueInMs === undefined || dueInMs === null
      ? {}
      : { claimableInMs: Math.max(0, dueInMs, row.arrival_in_ms ?? 0) }),
    ...(row.lease_in_ms === null ? {} : { leaseInMs: row.lease_in_ms }),
    ...(row.reconcile_in_ms === null ? {} : { reconcileInMs: row.reconcile_in_ms }),
    ...(row.expires_in_ms === null ? {} : { expiresInMs: row.expires_in_ms }),
    ageMs: row.age_ms,
    aliveWorkers: (await countWorkers(db)).polling,
  };
}

async function firstClaimable(db: Queryable, operationId: string): Promise<number | undefined> {
  const endpoints = await readyEndpoints(db, operationId);
  return endpoints.length === 0
    ? undefined
    : Math.min(...endpoints.map((e) => (e.state === 'enabled' ? e.claimableInMs : 0)));
}

/** Writes down what the workflow does next and when at the latest, and which control it has seen. */
export async function writeNextEvent(
  db: Queryable,
  operationId: string,
  what: string,
  inMs: number,
  seenRevision?: number,
): Promise<void> {
  await db.query(
    `update operations set next_event = $2, next_event_at = clock_timestamp() + $3::float8 * interval '1 millisecond',
       control_seen = greatest(control_seen, coalesce($4, control_seen)),
       start_confirmed_at = coalesce(start_confirmed_at, now()), start_attempts = 0, start_again_at = null
     where id = $1 and closed_at is null`,
    [operationId, what, inMs, seenRevision ?? null],
  );
}

/** What a slice asks before each claim: whether it may run, and the operation's own pace. */
export async function readControl(
  db: Queryable,
  operationId: string,
): Promise<{ run: boolean; paced: boolean; watched: boolean; canary?: number; claimableInMs: number }> {
  const { rows } = await db.query({
    name: 'read-control',
    text: `select o.control = 'run' as run, o.rate_per_second is not null or o.max_concurrency is not null as paced,
      o.watched, (o.options->'canary'->>'count')::int as canary,
      case when o.rate_per_second is not null and p.arrival_at > clock_timestamp()
        then greatest(0, extract(epoch from p.arrival_at - clock_timestamp())::float8 * 1000 - ${OPENS_MS.bulk}) else 0 end
        as claimable_in_ms
      from operations o join operation_pacing p on p.operation_id = o.id where o.id = $1`,
    values: [operationId],
  });
  const { run, paced, watched, canary, claimable_in_ms: claimableInMs } = rows[0];
  return { run, paced, watched, claimableInMs, ...(canary === null ? {} : { canary }) };
}

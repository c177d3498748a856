import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import type { Control, OperationState } from '../../domain/operations/operation-state.ts';
import { CANARY_WAITS_MS } from '../../domain/operations/watch.ts';
import { approvals, HOLD_EXPIRES_MS, type Hold } from '../../domain/policy/hold.ts';
import { present } from '../../domain/present.ts';
import {
  anyOf,
  type EndpointFacts,
  endpointWaits,
  type OwnerFacts,
  stopOf,
  type Wait,
  type WaitFacts,
  waitingFor,
} from '../../domain/sending/waiting-for.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { LIVE_LANE, type Queryable } from '../db/queryable.ts';
import { clockRunsOut, heldUntil } from '../policy/held-by-windows.ts';
import { lastHolds } from '../policy/holds.ts';
import { waitsUntil } from '../sending/disabled-endpoints.ts';
import { hopsOf } from '../sending/queue-endpoints.ts';
import { queueOwners } from '../sending/queue-owners.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

/** The endpoints of an operation that are looked at, each by its item that is due first. */
const ENDPOINTS_OF_OPERATION = 20;

const ms = (time: string): string => `(extract(epoch from ${time}) * 1000)::float8`;
const slotsOf = (id: string): string =>
  `(select coalesce(sum(s.slots), 0)::int from pace_slots s where s.paced_id = ${id} and s.expires_at > clock_timestamp())`;

/** SQL: the facts of an endpoint `n` with its version `v` and its pace `p`, as {@link endpointFacts} reads them. */
export const ENDPOINT_FACTS = `n.state as endpoint_state, v.rate_per_second as endpoint_rate,
  v.max_concurrency as endpoint_concurrency, p.window_size, p.openings,
  ${ms('p.arrival_at')} as endpoint_arrival_ms, ${ms('p.floor_until')} as floor_until_ms,
  ${ms('p.retry_after_until')} as retry_after_until_ms, ${ms('p.trial_until')} as trial_until_ms,
  ${slotsOf('n.id')} as endpoint_slots, ${ms('clock_timestamp()')} as now_ms`;

/** The columns of {@link ENDPOINT_FACTS}. */
export interface EndpointFactsRow {
  endpoint_state: EndpointState;
  endpoint_rate: number | null;
  endpoint_concurrency: number | null;
  window_size: number | null;
  openings: number;
  endpoint_arrival_ms: number;
  floor_until_ms: number;
  retry_after_until_ms: number;
  trial_until_ms: number;
  endpoint_slots: number;
  now_ms: number;
}

interface FactsRow extends EndpointFactsRow {
  id: Id<'execution'>;
  operation_id: Id<'operation'> | null;
  worked_by: string;
  due_at_ms: number;
  put_off_from_ms: number | null;
  give_up_at_ms: number;
  blocked: boolean;
  waits_until_ms: number;
  held_until_ms: number | null;
  open_operation_id: Id<'operation'> | null;
  control: Control;
  operation_state: OperationState;
  expires_at_ms: number | null;
  operation_rate: number | null;
  operation_concurrency: number | null;
  operation_arrival_ms: number;
  operation_slots: number;
  canary_state: 'testing' | 'passed' | 'held' | null;
  canary_room: number;
  canary_late_at_ms: number;
}

/** When the minute of the canary `c` is over: it stands still while freeze windows hold its endpoint. */
const CANARY_LATE_AT = clockRunsOut(
  { tenant: 'n.tenant_id', endpoint: 'n.endpoint_id', operation: 'o', since: 'c.began_at' },
  `${CANARY_WAITS_MS}`,
);

/** The facts of some unsent executions, which `head` selects: each endpoint and operation is looked at once. */
const factsOf = (head: string): string => `with items as materialized (${head}),
  endpoint as materialized (
    select n.id as endpoint_id, n.tenant_id, n.state, n.ordered, n.disabled_reason, n.disabled_at, ${ENDPOINT_FACTS}
    from endpoints n
    join endpoint_versions v on ${isCurrent('v', 'n')}
    join endpoint_pacing p on p.endpoint_id = n.id
    where n.id in (select endpoint_id from items)
  ), operation as materialized (
    select o.id, o.single, o.control, o.state as operation_state, o.created_at, o.report, o.disabled_patience_ms,
      o.watched and o.options ? 'canary' as has_canary, ${ms('o.expires_at')} as expires_at_ms,
      o.rate_per_second as operation_rate, o.max_concurrency as operation_concurrency,
      ${ms('p.arrival_at')} as operation_arrival_ms, ${slotsOf('o.id')} as operation_slots
    from operations o join operation_pacing p on p.operation_id = o.id
    where o.id in (select operation_id from items) and o.report is null
  )
  select i.id, i.operation_id, i.worked_by, ${ms('i.due_at')} as due_at_ms, ${ms('i.put_off_from')} as put_off_from_ms,
    ${ms(`case when o.single is false then coalesce((select gives_up_at(e) from queue e where e.delivery_id = i.delivery_id), i.give_up_at)
      else i.give_up_at end`)} as give_up_at_ms,
    case when n.ordered then blocked_by(i.delivery_id) is not null else false end as blocked,
    ${ms(waitsUntil('n.endpoint_id'))} as waits_until_ms,
    case when o.single is false then ${ms(heldUntil('n.tenant_id', 'n.endpoint_id'))} end as held_until_ms,
    n.*, o.id as open_operation_id, o.control, o.operation_state, o.expires_at_ms, o.operation_rate,
    o.operation_concurrency, o.operation_arrival_ms, o.operation_slots,
    c.state as canary_state, c.allowed - c.claimed as canary_room, ${ms(CANARY_LATE_AT)} as canary_late_at_ms
  from items i join endpoint n on n.endpoint_id = i.endpoint_id
  left join operation o on o.id = i.operation_id
  left join canaries c on o.has_canary and c.operation_id = o.id and c.endpoint_id = i.endpoint_id`;

/** The reasons for waiting of those of these executions that are queued or scheduled; the others are left out. */
export async function waitsOfExecutions(
  db: Queryable,
  executionIds: readonly Id<'execution'>[],
): Promise<Map<Id<'execution'>, Wait[]>> {
  if (executionIds.length === 0) return new Map();
  const { rows } = await db.query<FactsRow>(
    factsOf(
      `select e.execution_id as id, e.* from execution_records r cross join lateral (
         select q.* from queue q where q.delivery_id = r.delivery_id and q.execution_id = r.id limit 1) e
       where r.id = any($1::uuid[]) and e.state in ('queued', 'scheduled')`,
    ),
    [executionIds],
  );
  return new Map(rows.map((row) => [row.id, waitingFor(waitFacts(row))]));
}

/**
 * The reasons for waiting of these operations, by the item that is due first at each of their endpoints, the first
 * twenty of them. An operation that has closed, or has nothing unsent, is left out.
 */
async function waitsOfOperations(
  db: Queryable,
  operationIds: readonly Id<'operation'>[],
): Promise<Map<Id<'operation'>, Wait[]>> {
  if (operationIds.length === 0) return new Map();
  const { rows } = await db.query<FactsRow>(
    factsOf(`select f.* from operations o cross join lateral (
      select x.* from (
        with recursive hop as (
          ${hopsOf('o.id')}
        )
        select endpoint_id from hop where endpoint_id is not null limit ${ENDPOINTS_OF_OPERATION}
      ) h cross join lateral (
        select e.execution_id as id, e.* from queue e where e.in_queue and e.worked_by = o.id and e.endpoint_id = h.endpoint_id
          and e.state in ('queued', 'scheduled')
        order by e.due_at, e.execution_id limit 1
      ) x
      union all
      (select e.execution_id as id, e.* from execution_records r cross join lateral (
          select q.* from queue q where q.delivery_id = r.delivery_id and q.execution_id = r.id limit 1) e
        where o.interactive and r.operation_id = o.id and r.outcome is null and e.worked_by = '${LIVE_LANE}'
        and e.state in ('queued', 'scheduled') limit ${ENDPOINTS_OF_OPERATION})
    ) f where o.id = any($1::uuid[]) and o.closed_at is null`),
    [operationIds],
  );
  const found = new Map<Id<'operation'>, Wait[][]>();
  for (const row of rows) {
    if (row.operation_id === null) continue;
    const own = found.get(row.operation_id) ?? [];
    found.set(row.operation_id, [...own, waitingFor(waitFacts(row))]);
  }
  return new Map([...found].map(([id, waits]) => [id, anyOf(waits)]));
}

/**
 * Operations with their reasons for waiting; what stops one as a whole is shown also where nothing is unsent, and of one
 * that a policy holds each thing that is still lacking.
 */
export async function withWaits(db: Queryable, operations: readonly Operation[]): Promise<Operation[]> {
  const open = operations.filter(({ closedAt }) => closedAt === undefined);
  const waits = await waitsOfOperations(
    db,
    open.map(({ id }) => id),
  );
  const holds = await lastHolds(
    db,
    open.filter(({ state }) => state === 'awaiting_approval').map(({ id }) => id),
  );
  return operations.map((operation) => {
    const { id } = operation;
    const ofItems = waits.get(id) ?? [];
    const hold = holds.get(id);
    return {
      ...operation,
      waitingFor:
        hold && !hold.ended
          ? [...holdWaits(hold), ...anyOf([ofItems]).filter(({ what }) => what !== 'approval')]
          : anyOf([stopsOf(operation), ofItems]),
    };
  });
}

function stopsOf({ closedAt, control, state }: Operation): Wait[] {
  if (closedAt !== undefined || control !== 'pause' || state === 'planned') return [];
  return [{ what: stopOf(state) }];
}

function holdWaits(hold: Hold): Wait[] {
  const untilMs = hold.openedAt.getTime() + HOLD_EXPIRES_MS;
  const missing = hold.approvers - approvals(hold);
  return [
    ...(missing > 0 ? [{ what: 'approval' as const, untilMs, missing }] : []),
    ...hold.missing.map((what) => ({ what, untilMs })),
  ];
}

/** How many deliveries are to be sent to an endpoint and are not on the wire; counted up to `limit`. */
export async function countWaitingAt(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ waiting: number }>(
    `with owners as materialized ${queueOwners('$1')}
    select count(*)::int as waiting from (
      select from owners o join queue e on e.in_queue and e.worked_by = o.id
      where e.endpoint_id = $2 and e.state in ('queued', 'scheduled') limit $3
    ) w`,
    [[tenantId, PLATFORM_TENANT.id], endpointId, limit],
  );
  return rows[0]?.waiting ?? 0;
}

/** The reasons for waiting that hold for every delivery to the endpoint of a row. */
export function waitsOfEndpoint(row: EndpointFactsRow): Wait[] {
  return endpointWaits(endpointFacts(row), row.now_ms);
}

function waitFacts(row: FactsRow): WaitFacts {
  return {
    nowMs: row.now_ms,
    lane: row.worked_by === LIVE_LANE ? 'live' : 'bulk',
    dueAtMs: row.due_at_ms,
    ...(row.put_off_from_ms === null ? {} : { putOffFromMs: row.put_off_from_ms }),
    giveUpAtMs: row.give_up_at_ms,
    blocked: row.blocked,
    endpoint: endpointFacts(row),
    ...(row.open_operation_id === null ? {} : { operation: ownerFacts(row) }),
    waitsUntilMs: row.waits_until_ms,
    ...present({ heldUntilMs: row.held_until_ms }),
  };
}

function endpointFacts(row: EndpointFactsRow): EndpointFacts {
  return {
    state: row.endpoint_state,
    ...(row.endpoint_rate === null ? {} : { ratePerSecond: row.endpoint_rate }),
    arrivalMs: row.endpoint_arrival_ms,
    ...(row.endpoint_concurrency === null ? {} : { maxConcurrency: row.endpoint_concurrency }),
    slotsInUse: row.endpoint_slots,
    floorUntilMs: row.floor_until_ms,
    retryAfterUntilMs: row.retry_after_until_ms,
    openings: row.openings,
    trialUntilMs: row.trial_until_ms,
    ...(row.window_size === null ? {} : { window: row.window_size }),
  };
}

function ownerFacts(row: FactsRow): OwnerFacts {
  return {
    control: row.control,
    state: row.operation_state,
    ...(row.expires_at_ms === null ? {} : { expiresAtMs: row.expires_at_ms }),
    ...(row.operation_rate === null ? {} : { ratePerSecond: row.operation_rate }),
    arrivalMs: row.operation_arrival_ms,
    ...(row.operation_concurrency === null ? {} : { maxConcurrency: row.operation_concurrency }),
    slotsInUse: row.operation_slots,
    ...(row.canary_state === null
      ? {}
      : {
          canary: {
            state: row.canary_state,
            room: row.canary_room,
            judgedAtMs: row.canary_late_at_ms,
          },
        }),
  };
}

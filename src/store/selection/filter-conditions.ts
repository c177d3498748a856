import type { DeliveryFilter, NewestExecution, SelectedTenants } from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { millisecondEdge, type TimeBound } from '../../domain/time/instant.ts';
import type { Parameters } from '../db/parameters.ts';
import { ofEvents } from './of-events.ts';

/** A part of a filter's selection that is read by itself: of one endpoint, one fault, or some states. */
export type Partition = { endpointId?: Id<'endpoint'>; faultCode?: string; states?: DeliveryState[] };

/** Whose deliveries a filter is applied to, and since when. */
interface FilterScope {
  tenantId: Id<'tenant'>;
  tenants?: SelectedTenants | undefined;
  /** Ages count back from this time, or from now. */
  asOf?: Date | undefined;
}

/**
 * The SQL of one member: a condition on `deliveries d`, or on its `events v`, which all such members look up at once.
 */
interface MemberCondition<Value> {
  on: 'd' | 'v';
  sql(value: Value, p: Parameters, scope: FilterScope): string;
}

const ofDelivery = <Value>(sql: MemberCondition<Value>['sql']): MemberCondition<Value> => ({ on: 'd', sql });
const ofEvent = <Value>(sql: MemberCondition<Value>['sql']): MemberCondition<Value> => ({ on: 'v', sql });

const OPEN = 'select from executions x where x.delivery_id = d.id and x.open';

/** Every member of a filter: one that is missing here does not compile. */
const CONDITIONS = {
  state: ofDelivery(statesCondition),
  endpointIds: ofDelivery((ids, p) => oneOf('d.endpoint_id', 'uuid', ids, p)),
  faultCodes: ofDelivery((codes, p) => oneOf('d.fault_code', 'text', codes, p)),
  httpStatus: ofDelivery((statuses, p) => `d.http_status = any(${p.add(statuses)}::int[])`),
  from: ofDelivery((time, p) => bound('d.accepted_at', '>', time, p)),
  to: ofDelivery((time, p) => bound('d.accepted_at', '<', time, p)),
  lastAttemptAfter: ofDelivery((time, p) => bound('d.last_attempt_at', '>', time, p)),
  lastAttemptBefore: ofDelivery((time, p) => bound('d.last_attempt_at', '<', time, p)),
  eventTypes: ofEvent((types, p) => `v.type = any(${p.add(types)})`),
  sources: ofEvent((sources, p) => `v.source = any(${p.add(sources)})`),
  key: ofEvent((key, p) => `v.key = ${p.add(key)}`),
  ingestionBatchIds: ofEvent((ids, p) => `v.ingestion_batch_id = any(${p.add(ids)})`),
  dispatchBatchIds: ofDelivery((batchIds, p) => {
    const ids = p.add(batchIds);
    return `(exists (select from executions x where x.delivery_id = d.id and x.operation_id = any(${ids}::uuid[]))
      or exists (select from events v where v.id = d.event_id and v.ingest_call_id = any(${ids}::uuid[])))`;
  }),
  pendingLongerThanMs: ofDelivery(
    (ms, p, scope) => `exists (${OPEN} and x.created_at < ${ago(ms, p, scope)})`,
  ),
  ifPendingLongerThanMs: ofDelivery(
    (ms, p, scope) => `not exists (${OPEN} and x.created_at >= ${ago(ms, p, scope)})`,
  ),
  activeWithinMs: ofDelivery(
    (ms, p, scope) =>
      `coalesce(d.last_attempt_at, (select x.created_at from executions x where x.delivery_id = d.id
      order by x.id desc limit 1)) >= ${ago(ms, p, scope)}`,
  ),
  ignoredFor: ofDelivery(
    (reasons, p) => `(d.state <> 'ignored' or (select x.reason from executions x where x.delivery_id = d.id
      order by x.id desc limit 1) = any(${p.add(reasons)}))`,
  ),
  blocking: ofDelivery(
    () => `d.order_key is not null and exists (select from deliveries l where l.endpoint_id = d.endpoint_id
      and l.order_key = d.order_key and l.order_number > d.order_number and l.state <> 'delivered' and l.state = 'pending')`,
  ),
  // Ids as arrays, so that the look-up begins at them and not at every delivery of the tenant.
  deliveryIds: ofDelivery((ids, p) => `d.id = any(${p.add(ids)}::uuid[])`),
  eventIds: ofDelivery((ids, p) => ofEvents('d', `${p.add(ids)}::uuid[]`)),
  eventNumbers: ofDelivery((numbers, p, scope) =>
    ofEvents(
      'd',
      `array(select v.id from events v
      where ${tenantCondition('v.tenant_id', scope, p)} and v.number = any(${p.add(numbers)}::bigint[]))`,
    ),
  ),
  open: ofDelivery((open) => `${open ? '' : 'not '}exists (${OPEN})`),
  attempted: ofDelivery((attempted) => `d.attempts ${attempted ? '>' : '='} 0`),
  newest: ofDelivery(newestCondition),
  caughtBetween: ofDelivery(caughtCondition),
} satisfies { [Member in keyof DeliveryFilter]-?: MemberCondition<NonNullable<DeliveryFilter[Member]>> };

/**
 * The conditions of a filter over `deliveries d`, bound to the tenant or to those that are named. A member that is absent adds none, an
 * empty array matches nothing. An absent state means failed: these deliveries are the ones to retry.
 */
export function filterConditions(
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  partition: Partition,
  p: Parameters,
  { tenants, asOf }: Omit<FilterScope, 'tenantId'> = {},
): string[] {
  const scope = { tenantId, tenants, asOf };
  const asked: DeliveryFilter = {
    ...filter,
    state: partition.states ?? filter.state ?? ['failed'],
    ...(partition.endpointId === undefined ? {} : { endpointIds: [partition.endpointId] }),
    ...(partition.faultCode === undefined ? {} : { faultCodes: [partition.faultCode] }),
  };
  const on: Record<MemberCondition<unknown>['on'], string[]> = {
    d: [tenantCondition('d.tenant_id', scope, p)],
    v: [],
  };
  for (const [member, value] of Object.entries(asked)) {
    if (value === undefined) continue;
    const condition = CONDITIONS[member as keyof DeliveryFilter] as MemberCondition<unknown> | undefined;
    // Left out, it would widen the selection.
    if (!condition) throw new Error('a filter has a member that this version does not know');
    on[condition.on].push(condition.sql(value, p, scope));
  }
  return on.v.length === 0
    ? on.d
    : [...on.d, `exists (select from events v where v.id = d.event_id and ${on.v.join(' and ')})`];
}

/** The condition that binds a statement to the tenants of an operation: its own, or those that the platform named. */
export function tenantCondition(
  column: string,
  { tenantId, tenants }: Pick<FilterScope, 'tenantId' | 'tenants'>,
  p: Parameters,
): string {
  if (tenants === undefined) return `${column} = ${p.add(tenantId)}`;
  return tenants === 'all' ? 'true' : `${column} = any(${p.add(tenants)}::uuid[])`;
}

/** A condition that a column, as it is shown in milliseconds, lies on one side of a time; an index serves it. */
export function bound(column: string, operator: '>' | '<', time: TimeBound, p: Parameters): string {
  return operator === '>'
    ? `${column} >= ${p.add(millisecondEdge('start', time))}::timestamptz`
    : `${column} < ${p.add(millisecondEdge('end', time))}::timestamptz`;
}

/** States that few deliveries are in at any time. */
const RARE_STATES: readonly DeliveryState[] = ['unknown', 'cancelled', 'ignored'];

/** The states that partial indexes hold: failed; failed or not delivered yet; and the rare ones. */
const INDEXED_STATES: readonly (readonly DeliveryState[])[] = [
  ['failed'],
  ['failed', 'pending'],
  RARE_STATES,
];

/** The ranges of states that are read one after the other; undefined stands for all that were asked for, at once. */
export function rangesOf(asked: DeliveryState[] | undefined): (DeliveryState[] | undefined)[] {
  const rare = asked?.filter((state) => RARE_STATES.includes(state)) ?? [];
  const others = asked?.filter((state) => !RARE_STATES.includes(state)) ?? [];
  return rare.length > 0 && !others.includes('delivered')
    ? [rare, ...(others.length > 0 ? [others] : [])]
    : [undefined];
}

/** Literals, where there is a partial index: it is only used when the planner can see them. */
function statesCondition(states: DeliveryState[], p: Parameters): string {
  const indexed = INDEXED_STATES.find(
    (known) => states.length > 0 && states.every((state) => known.includes(state)),
  );
  const exactly = indexed?.length === new Set(states).size;
  return [
    ...(indexed ? [`d.state in (${indexed.map((state) => `'${state}'`).join(', ')})`] : []),
    ...(exactly ? [] : [`d.state = any(${p.add(states)})`]),
  ].join(' and ');
}

/** One value is compared by equality: an index is read in the order of the columns behind it. */
function oneOf(column: string, type: 'uuid' | 'text', values: string[], p: Parameters): string {
  return values.length === 1
    ? `${column} = ${p.add(values[0])}::${type}`
    : `${column} = any(${p.add(values)}::${type}[])`;
}

/** To the millisecond, as every bound, so that rows that are shown alike are selected alike. */
function ago(ms: number, p: Parameters, { asOf }: FilterScope): string {
  return `date_trunc('milliseconds', coalesce(${p.add(asOf ?? null)}::timestamptz, now())
      - ${p.add(ms)}::float8 * interval '1 millisecond')`;
}

/**
 * Accepted within; or accepted before, and an attempt of it was in vain, or an execution of it ended, within. What has not
 * changed since is passed over without a look at its executions.
 */
function caughtCondition({ from, to }: NonNullable<DeliveryFilter['caughtBetween']>, p: Parameters): string {
  const within = (column: string) => `${bound(column, '>', from, p)} and ${bound(column, '<', to, p)}`;
  // One that was sent to try the endpoint is of no outage, nor is what failed in another system.
  return `not d.test and ((d.import_id is null and ${bound('d.accepted_at', '>', from, p)})
      or (${bound('greatest(d.state_changed_at, d.last_attempt_at)', '>', from, p)} and exists (
        select from executions x where x.delivery_id = d.id and (
          (${within('x.finished_at')} and (x.reason = 'endpoint_disabled'
            or (x.state = 'failed' and x.reason is distinct from 'imported')))
          or exists (select from attempts a where a.execution_id = x.id and a.outcome <> 'delivered' and not a.imported
            and ${within('a.started_at')})))))`;
}

/** An execution without a child: the end of its chain, and the parent of a further retry. */
const CHILDLESS = `(x.keeps_slot or x.parent_id is null)
      and not exists (select from executions c where c.parent_id = x.id and c.keeps_slot)`;

function newestCondition({ ids, states, after, before, reasons }: NewestExecution, p: Parameters): string {
  const of = [CHILDLESS];
  if (ids) of.push(`x.id = any(${p.add(ids)}::uuid[])`);
  if (states) of.push(`x.state = any(${p.add(states)})`);
  if (after) of.push(bound('x.finished_at', '>', after, p));
  if (before) of.push(bound('x.finished_at', '<', before, p));
  if (reasons && 'in' in reasons) of.push(`x.reason = any(${p.add(reasons.in)})`);
  if (reasons && 'notIn' in reasons) of.push(`coalesce(x.reason <> all(${p.add(reasons.notIn)}), true)`);
  // A scalar look-up: EXISTS may be hashed, and would then read every execution there is.
  const newest = `(select x.id from executions x where x.delivery_id = d.id and ${of.join(' and ')} limit 1) is not null`;
  return ids
    ? `d.id = any(array(select y.delivery_id from executions y where y.id = any(${p.add(ids)}::uuid[]))) and ${newest}`
    : newest;
}

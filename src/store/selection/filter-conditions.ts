import type { DeliveryFilter, NewestExecution, SelectedTenants } from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { millisecondEdge, type TimeBound } from '../../domain/time/instant.ts';
import type { Parameters } from '../db/parameters.ts';
import { ofEvents } from './of-events.ts';
import { EVERYTHING, type Read, readFrom } from './read-from.ts';

/** A part of a filter's selection that is read by itself: of one endpoint, one fault, or some states. */
export type Partition = { endpointId?: Id<'endpoint'>; faultCode?: string; states?: DeliveryState[] };

/** Whose deliveries a filter is applied to, and since when. */
interface FilterScope {
  tenantId: Id<'tenant'>;
  tenants?: SelectedTenants | undefined;
  /** The one of them that is read, as SQL, in the place of all. */
  tenant?: string | undefined;
  /** Ages count back from this time, or from now. */
  asOf?: Date | undefined;
}

/** The same, and the alias of the whole delivery. */
type ReadScope = FilterScope & Pick<Read, 'whole'>;

/**
 * The SQL of one member: a condition on `d`, a row of `undelivered` or of `deliveries`; on the whole delivery, for
 * columns that only `deliveries` has; or on its `events v`, which all such members look up at once.
 */
interface MemberCondition<Value> {
  on: 'delivery' | 'whole' | 'event';
  sql(value: Value, p: Parameters, scope: ReadScope): string;
}

const ofDelivery = <Value>(sql: MemberCondition<Value>['sql']): MemberCondition<Value> => ({
  on: 'delivery',
  sql,
});
const ofWhole = <Value>(sql: MemberCondition<Value>['sql']): MemberCondition<Value> => ({ on: 'whole', sql });
const ofEvent = <Value>(sql: MemberCondition<Value>['sql']): MemberCondition<Value> => ({ on: 'event', sql });

const OPEN = 'select from execution_records x where x.delivery_id = d.id and x.outcome is null';

/** Every member of a filter: one that is missing here does not compile. */
const CONDITIONS = {
  state: ofDelivery((states, p) => `d.state = any(${p.add(states)})`),
  endpointIds: ofDelivery((ids, p) => oneOf('d.endpoint_id', 'uuid', ids, p)),
  faultCodes: ofDelivery((codes, p) => oneOf('d.fault_code', 'text', codes, p)),
  httpStatus: ofDelivery((statuses, p) => `d.http_status = any(${p.add(statuses)}::int[])`),
  from: ofDelivery((time, p) => bound('d.accepted_at', '>', time, p)),
  to: ofDelivery((time, p) => bound('d.accepted_at', '<', time, p)),
  lastAttemptAfter: ofWhole((time, p, { whole }) => bound(`${whole}.last_attempt_at`, '>', time, p)),
  lastAttemptBefore: ofWhole((time, p, { whole }) => bound(`${whole}.last_attempt_at`, '<', time, p)),
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
  activeWithinMs: ofWhole(
    (ms, p, scope) =>
      `coalesce(${scope.whole}.last_attempt_at, (select x.created_at from execution_records x where x.delivery_id = d.id
      order by x.generation desc limit 1)) >= ${ago(ms, p, scope)}`,
  ),
  ignoredFor: ofDelivery(
    (
      reasons,
      p,
    ) => `(d.state <> 'ignored' or (select x.reason from execution_records x where x.delivery_id = d.id
      order by x.generation desc limit 1) = any(${p.add(reasons)}))`,
  ),
  blocking: ofDelivery(
    () => `d.order_key is not null and exists (select from undelivered l where l.endpoint_id = d.endpoint_id
      and l.order_key = d.order_key and l.order_number > d.order_number and l.state = 'pending')`,
  ),
  // Ids as arrays, so that the look-up begins at them and not at every delivery of the tenant.
  deliveryIds: ofDelivery((ids, p) => `d.id = any(${p.add(ids)}::uuid[])`),
  eventIds: ofWhole((ids, p, { whole }) => ofEvents(whole, `${p.add(ids)}::uuid[]`)),
  eventNumbers: ofWhole((numbers, p, scope) =>
    ofEvents(
      scope.whole,
      `array(select v.id from events v
      where ${tenantCondition('v.tenant_id', scope, p)} and v.number = any(${p.add(numbers)}::bigint[]))`,
    ),
  ),
  open: ofDelivery((open) => `${open ? '' : 'not '}exists (${OPEN})`),
  undeliveredOpen: ofDelivery((open) => `(d.state = 'delivered' or ${open ? '' : 'not '}exists (${OPEN}))`),
  attempted: ofWhole((attempted, _, { whole }) => `${whole}.attempts ${attempted ? '>' : '='} 0`),
  newest: ofDelivery(newestCondition),
  caughtBetween: ofWhole(caughtCondition),
} satisfies { [Member in keyof DeliveryFilter]-?: MemberCondition<NonNullable<DeliveryFilter[Member]>> };

/** The members that name deliveries: these are looked up by index of `deliveries`, whatever state they are in. */
const NAMING: readonly (keyof DeliveryFilter)[] = ['deliveryIds', 'eventIds', 'eventNumbers'];

/** A filter as SQL: where its deliveries `d` are read, and what is asked of them. */
export interface FilterSql extends Read {
  where: string[];
}

/**
 * A filter over deliveries, bound to the tenant or to those that are named: reads what is not delivered from
 * `undelivered`. A member that is absent adds no condition, an empty array matches nothing. An absent state means failed:
 * these deliveries are the ones to retry. With `whole`, the whole delivery is there as `whole`, too.
 */
export function filterSql(
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  partition: Partition,
  p: Parameters,
  { whole = false, ...scope }: Omit<FilterScope, 'tenantId'> & { whole?: boolean | undefined } = {},
): FilterSql {
  const asked = askedOf(filter, partition);
  const named = NAMING.some((member) => asked[member] !== undefined);
  const needed = whole || membersOf(asked).some(({ condition }) => condition.on === 'whole');
  const read = named ? EVERYTHING : readFrom(asked.state ?? [], { whole: needed });
  // The states are those of the rows that are read.
  const { state: _, ...others } = asked;
  return {
    ...read,
    where: conditionsOf(tenantId, read.from === EVERYTHING.from ? asked : others, read.whole, p, scope),
  };
}

/** The conditions of the same on `deliveries d`, for deliveries that are looked up by something else. */
export function filterConditions(
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  partition: Partition,
  p: Parameters,
  scope: Omit<FilterScope, 'tenantId'> = {},
): string[] {
  return conditionsOf(tenantId, askedOf(filter, partition), EVERYTHING.whole, p, scope);
}

function askedOf(
  { ignoredFor, ...filter }: DeliveryFilter,
  { states, endpointId, faultCode }: Partition,
): DeliveryFilter {
  const state = states ?? filter.state ?? ['failed'];
  return {
    ...filter,
    state,
    // A look-up each that says nothing of other states.
    ...(ignoredFor && state.includes('ignored') ? { ignoredFor } : {}),
    ...(endpointId === undefined ? {} : { endpointIds: [endpointId] }),
    ...(faultCode === undefined ? {} : { faultCodes: [faultCode] }),
  };
}

function membersOf(asked: DeliveryFilter): { condition: MemberCondition<unknown>; value: unknown }[] {
  return Object.entries(asked)
    .filter(([, value]) => value !== undefined)
    .map(([member, value]) => {
      const condition = CONDITIONS[member as keyof DeliveryFilter] as MemberCondition<unknown> | undefined;
      // Left out, it would widen the selection.
      if (!condition) throw new Error('a filter has a member that this version does not know');
      return { condition, value };
    });
}

function conditionsOf(
  tenantId: Id<'tenant'>,
  asked: DeliveryFilter,
  whole: string,
  p: Parameters,
  given: Omit<FilterScope, 'tenantId'>,
): string[] {
  const scope = { tenantId, whole, ...given };
  const on: Record<MemberCondition<unknown>['on'], string[]> = {
    delivery: [tenantCondition('d.tenant_id', scope, p)],
    whole: [],
    event: [],
  };
  for (const { condition, value } of membersOf(asked)) on[condition.on].push(condition.sql(value, p, scope));
  const conditions = [...on.delivery, ...on.whole];
  return on.event.length === 0
    ? conditions
    : [...conditions, `exists (select from events v where v.id = d.event_id and ${on.event.join(' and ')})`];
}

/** The condition that binds a statement to the tenants of an operation: its own, or those that the platform named. */
export function tenantCondition(
  column: string,
  { tenantId, tenants, tenant }: Pick<FilterScope, 'tenantId' | 'tenants' | 'tenant'>,
  p: Parameters,
): string {
  if (tenant !== undefined) return `${column} = ${tenant}`;
  if (tenants === undefined) return `${column} = ${p.add(tenantId)}`;
  return tenants === 'all' ? 'true' : `${column} = any(${p.add(tenants)}::uuid[])`;
}

/** A condition that a column, as it is shown in milliseconds, lies on one side of a time; an index serves it. */
export function bound(column: string, operator: '>' | '<', time: TimeBound, p: Parameters): string {
  return operator === '>'
    ? `${column} >= ${p.add(millisecondEdge('start', time))}::timestamptz`
    : `${column} < ${p.add(millisecondEdge('end', time))}::timestamptz`;
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
function caughtCondition(
  { from, to }: NonNullable<DeliveryFilter['caughtBetween']>,
  p: Parameters,
  { whole }: ReadScope,
): string {
  const within = (column: string) => `${bound(column, '>', from, p)} and ${bound(column, '<', to, p)}`;
  // One that was sent to try the endpoint is of no outage, nor is what failed in another system.
  return `not ${whole}.test and ((${whole}.import_id is null and ${bound('d.accepted_at', '>', from, p)})
      or (${bound(`greatest(${whole}.state_changed_at, ${whole}.last_attempt_at)`, '>', from, p)} and exists (
        select from executions x where x.delivery_id = d.id and (
          (${within('x.finished_at')} and (x.reason = 'endpoint_disabled'
            or (x.state = 'failed' and x.reason is distinct from 'imported')))
          or (select a.number from attempts a where a.execution_id = x.id and a.outcome <> 'delivered' and not a.imported
            and ${within('a.started_at')} limit 1) is not null))))`;
}

/** An execution without a child: the end of its chain, and the parent of a further retry. */
const CHILDLESS = `(x.keeps_slot or x.parent_id is null)
      and not exists (select from executions c where c.delivery_id = d.id and c.parent_id = x.id and c.keeps_slot)`;

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

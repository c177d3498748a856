import {
  type DeliveryFilter,
  type EventSelection,
  isExplicit,
  type NewestExecution,
  type SelectedTenants,
  type Selection,
  type TimeBound,
} from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';

/** Where a selection stands. Times are texts of the database: a Date would lose its microseconds. */
export interface SelectionCursor {
  /** Index of the partition (an endpoint or a fault code) that is being read, each in the order of its index. */
  partition: number;
  /** Only where the operation spans tenants, whose rows follow one another. */
  tenantId?: string;
  acceptedAt?: string;
  id?: string;
}

/** A place in the order of a selection, within a partition. */
export type SelectionPlace = Omit<SelectionCursor, 'partition'>;

/** What of a selection is read at once: what follows `after`, up to and with `upTo`, `limit` deliveries at most. */
export interface Stretch {
  after: SelectionCursor;
  upTo?: SelectionPlace;
  limit?: number;
}

/** All of it. */
export const WHOLE: Stretch = { after: { partition: 0 } };

/** Collects the parameters of a statement that is put together from parts. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a value and returns its placeholder. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

type Partition = { endpointId?: string; faultCode?: string; states?: DeliveryState[] };

/** With more endpoints than these one range of the tenant costs less than one of each. */
const MAX_ENDPOINT_PARTITIONS = 50;

/** The ranges a filter is read in, so that each page is one ordered range of one index. */
export function partitionsOf(selection: Selection): Partition[] {
  if (!('filter' in selection) || isExplicit(selection)) return [{}];
  const { endpointIds, faultCodes, newest, state } = selection.filter;
  const apart = (ends: Partition[]) =>
    ends.flatMap((end) => rangesOf(state).map((states) => ({ ...end, ...(states ? { states } : {}) })));
  const byEndpoint = endpointIds && [...new Set(endpointIds)].map((endpointId) => ({ endpointId }));
  // What asks for newest executions finds few in each range.
  if (newest && !faultCodes)
    return apart(byEndpoint && byEndpoint.length <= MAX_ENDPOINT_PARTITIONS ? byEndpoint : [{}]);
  if (byEndpoint) return apart(byEndpoint);
  if (faultCodes) return [...new Set(faultCodes)].map((faultCode) => ({ faultCode }));
  return [{}];
}

/** What there is few of at any time. */
const RARE_STATES: readonly DeliveryState[] = ['unknown', 'cancelled', 'ignored'];

/** The states that partial indexes hold: what failed, what was not delivered yet or failed, and what is rare. */
const INDEXED_STATES: readonly (readonly DeliveryState[])[] = [
  ['failed'],
  ['failed', 'pending'],
  RARE_STATES,
];

/** The ranges of states that are read one after the other; undefined for all that were asked for at once. */
export function rangesOf(asked: DeliveryState[] | undefined): (DeliveryState[] | undefined)[] {
  const rare = asked?.filter((state) => RARE_STATES.includes(state)) ?? [];
  const others = asked?.filter((state) => !RARE_STATES.includes(state)) ?? [];
  return rare.length > 0 && !others.includes('delivered')
    ? [rare, ...(others.length > 0 ? [others] : [])]
    : [undefined];
}

/** A condition that a column lies on one side of a time. */
export function bound(column: string, operator: '>' | '<', time: TimeBound, p: Parameters): string {
  return `${column} ${operator}${time.inclusive ? '=' : ''} ${p.add(time.at)}::timestamptz`;
}

/** The tenants that a selection names instead of its operation's own. */
function tenantsOf(selection: Selection): SelectedTenants | undefined {
  return 'tenants' in selection ? selection.tenants : undefined;
}

/** The condition that binds a statement to the tenants of an operation: its own, or those that the platform named. */
function tenantCondition(
  column: string,
  tenantId: string,
  tenants: SelectedTenants | undefined,
  p: Parameters,
): string {
  if (tenants === undefined) return `${column} = ${p.add(tenantId)}`;
  return tenants === 'all' ? 'true' : `${column} = any(${p.add(tenants)}::uuid[])`;
}

/** The columns of the index that a selection is read by, in its order. */
export function orderOf(selection: Selection): string[] {
  if ('failuresOf' in selection) return ['id'];
  return tenantsOf(selection) === undefined ? ['accepted_at', 'id'] : ['tenant_id', 'accepted_at', 'id'];
}

/** The same columns of a table, as SQL. */
export function orderBy(alias: string, selection: Selection): string {
  return orderOf(selection)
    .map((column) => `${alias}.${column}`)
    .join(', ');
}

/** The condition for what lies on one side of a place in that order; none where there is no place. */
function beside(
  alias: string,
  operator: '>' | '<=',
  selection: Selection,
  place: SelectionPlace | undefined,
  p: Parameters,
): string[] {
  if (!place?.acceptedAt || !place.id) return [];
  const position = [
    ...(tenantsOf(selection) === undefined ? [] : [`${p.add(place.tenantId)}::uuid`]),
    `${p.add(place.acceptedAt)}::timestamptz`,
    `${p.add(place.id)}::uuid`,
  ];
  return [`(${orderBy(alias, selection)}) ${operator} (${position.join(', ')})`];
}

/**
 * The conditions of a filter over `deliveries d`, every one bound to the tenant. A member that is absent adds
 * none, an empty array matches nothing. An absent state means failed: that is what one retries.
 */
export function filterConditions(
  tenantId: string,
  filter: DeliveryFilter,
  partition: Partition,
  p: Parameters,
  { tenants, asOf }: { tenants?: SelectedTenants | undefined; asOf?: Date | undefined } = {},
): string[] {
  const states = partition.states ?? filter.state ?? ['failed'];
  const where = [tenantCondition('d.tenant_id', tenantId, tenants, p)];
  const now = () => `coalesce(${p.add(asOf ?? null)}::timestamptz, now())`;
  const before = (ms: number) => `${now()} - ${p.add(ms)}::float8 * interval '1 millisecond'`;
  // Literals, where there is a partial index: it is only used when the planner can see them.
  const indexed = INDEXED_STATES.find(
    (known) => states.length > 0 && states.every((state) => known.includes(state)),
  );
  if (indexed) where.push(`d.state in (${indexed.map((state) => `'${state}'`).join(', ')})`);
  if (indexed?.length !== new Set(states).size) where.push(`d.state = any(${p.add(states)})`);
  if (partition.endpointId) where.push(`d.endpoint_id = ${p.add(partition.endpointId)}`);
  else if (filter.endpointIds) where.push(`d.endpoint_id = any(${p.add(filter.endpointIds)}::uuid[])`);
  if (partition.faultCode) where.push(`d.fault_code = ${p.add(partition.faultCode)}`);
  else if (filter.faultCodes) where.push(`d.fault_code = any(${p.add(filter.faultCodes)})`);
  if (filter.httpStatus) where.push(`d.http_status = any(${p.add(filter.httpStatus)}::int[])`);
  if (filter.from) where.push(bound('d.accepted_at', '>', filter.from, p));
  if (filter.to) where.push(bound('d.accepted_at', '<', filter.to, p));
  if (filter.lastAttemptAfter) where.push(bound('d.last_attempt_at', '>', filter.lastAttemptAfter, p));
  if (filter.lastAttemptBefore) where.push(bound('d.last_attempt_at', '<', filter.lastAttemptBefore, p));
  const event: string[] = [];
  if (filter.eventTypes) event.push(`v.type = any(${p.add(filter.eventTypes)})`);
  if (filter.sources) event.push(`v.source = any(${p.add(filter.sources)})`);
  if (filter.key !== undefined) event.push(`v.key = ${p.add(filter.key)}`);
  if (filter.ingestionBatchIds) event.push(`v.ingestion_batch_id = any(${p.add(filter.ingestionBatchIds)})`);
  if (event.length > 0)
    where.push(`exists (select from events v where v.id = d.event_id and ${event.join(' and ')})`);
  if (filter.dispatchBatchIds) {
    const ids = p.add(filter.dispatchBatchIds);
    where.push(`(exists (select from executions x where x.delivery_id = d.id and x.operation_id = any(${ids}::uuid[]))
      or exists (select from events v where v.id = d.event_id and v.ingest_call_id = any(${ids}::uuid[])))`);
  }
  if (filter.pendingLongerThanMs !== undefined)
    where.push(`exists (select from executions x where x.delivery_id = d.id and x.open
      and x.created_at < ${before(filter.pendingLongerThanMs)})`);
  if (filter.ifPendingLongerThanMs !== undefined)
    where.push(`not exists (select from executions x where x.delivery_id = d.id and x.open
      and x.created_at >= ${before(filter.ifPendingLongerThanMs)})`);
  if (filter.activeWithinMs !== undefined)
    where.push(`coalesce(d.last_attempt_at, (select x.created_at from executions x where x.delivery_id = d.id
      order by x.id desc limit 1)) >= ${before(filter.activeWithinMs)}`);
  if (filter.ignoredFor)
    where.push(`(d.state <> 'ignored' or (select x.reason from executions x where x.delivery_id = d.id
      order by x.id desc limit 1) = any(${p.add(filter.ignoredFor)}))`);
  if (filter.blocking)
    where.push(`d.order_key is not null and exists (select from deliveries l where l.endpoint_id = d.endpoint_id
      and l.order_key = d.order_key and l.order_number > d.order_number and l.state <> 'delivered' and l.state = 'pending')`);
  // Ids as arrays, so that the look-up begins at them and not at every delivery of the tenant.
  if (filter.deliveryIds) where.push(`d.id = any(${p.add(filter.deliveryIds)}::uuid[])`);
  if (filter.eventIds) where.push(`d.event_id = any(${p.add(filter.eventIds)}::uuid[])`);
  if (filter.eventNumbers)
    where.push(`d.event_id = any(array(select v.id from events v
      where ${tenantCondition('v.tenant_id', tenantId, tenants, p)} and v.number = any(${p.add(filter.eventNumbers)}::bigint[])))`);
  if (filter.open !== undefined)
    where.push(
      `${filter.open ? '' : 'not '}exists (select from executions x where x.delivery_id = d.id and x.open)`,
    );
  if (filter.attempted !== undefined) where.push(`d.attempts ${filter.attempted ? '>' : '='} 0`);
  if (filter.newest) where.push(...newestConditions(filter.newest, p));
  return where;
}

/** An execution without a child: the end of its chain, and what a further retry would be the child of. */
const CHILDLESS = `(x.keeps_slot or x.parent_id is null)
      and not exists (select from executions c where c.parent_id = x.id and c.keeps_slot)`;

function newestConditions({ ids, states, after, before, reasons }: NewestExecution, p: Parameters): string[] {
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
    ? [
        `d.id = any(array(select y.delivery_id from executions y where y.id = any(${p.add(ids)}::uuid[])))`,
        newest,
      ]
    : [newest];
}

/**
 * A statement that reads those of these deliveries that a filter still selects, as `(id, accepted_at)`: for what changed
 * hands while it was looked at.
 */
export function stillSelected(
  tenantId: string,
  { filter, tenants }: Extract<Selection, { filter: DeliveryFilter }>,
  ids: string[],
  p: Parameters,
  asOf: Date,
): string {
  const where = filterConditions(tenantId, filter, {}, p, { tenants, asOf });
  where.push(`d.id = any(${p.add(ids)}::uuid[])`);
  return `select d.id, d.accepted_at, d.tenant_id from deliveries d where ${where.join('\n      and ')}`;
}

/** The conditions of a selection of `events v`. */
function eventConditions(
  tenantId: string,
  selected: EventSelection,
  tenants: SelectedTenants | undefined,
  p: Parameters,
): string[] {
  const where = [tenantCondition('v.tenant_id', tenantId, tenants, p)];
  if (selected.eventIds) where.push(`v.id = any(${p.add(selected.eventIds)}::uuid[])`);
  if (selected.eventNumbers) where.push(`v.number = any(${p.add(selected.eventNumbers)}::bigint[])`);
  if (selected.ingestionBatchIds)
    where.push(`v.ingestion_batch_id = any(${p.add(selected.ingestionBatchIds)})`);
  if (selected.sources) where.push(`v.source = any(${p.add(selected.sources)})`);
  if (selected.from) where.push(bound('v.accepted_at', '>', selected.from, p));
  if (selected.to) where.push(bound('v.accepted_at', '<', selected.to, p));
  return where;
}

/**
 * A statement that reads the next `limit` selected events in the order of their acceptance, within each tenant; of an
 * operation only those that were there when it was accepted.
 */
export function eventPage(
  tenantId: string,
  selection: Extract<Selection, { afresh: EventSelection }>,
  cursor: SelectionCursor,
  limit: number,
  p: Parameters,
  operationId?: string,
): string {
  const { afresh, tenants } = selection;
  const where = [...eventConditions(tenantId, afresh, tenants, p), ...beside('v', '>', selection, cursor, p)];
  // What comes in while it selects was matched just now; without a bound it would run after it without an end.
  if (operationId)
    where.push(`v.accepted_at <= (select o.watermark from operations o where o.id = ${p.add(operationId)})`);
  return `select v.* from events v where ${where.join('\n      and ')}
      order by ${orderBy('v', selection)} limit ${p.add(limit)}`;
}

/** A statement that reads these deliveries, where they belong to a tenant of the selection. */
export function deliveriesPage(
  tenantId: string,
  selection: Selection,
  deliveryIds: string[],
  p: Parameters,
): string {
  return `select d.id, d.accepted_at, d.tenant_id from deliveries d
      where ${tenantCondition('d.tenant_id', tenantId, tenantsOf(selection), p)}
        and d.id = any(${p.add(deliveryIds)}::uuid[])`;
}

/**
 * A statement that reads a stretch of the selected deliveries, with their tenants, in the order of an index, or, for an
 * explicit list, all of them. Every form is bound to the tenant; what is "so long ago" counts from `asOf`, or now.
 */
export function selectionPage(
  tenantId: string,
  selection: Selection,
  { after, upTo, limit }: Stretch,
  p: Parameters,
  asOf?: Date,
): string {
  if ('afresh' in selection) throw new Error('events that are matched afresh are read by themselves');
  if ('deliveryIds' in selection) return deliveriesPage(tenantId, selection, selection.deliveryIds, p);
  if ('eventIds' in selection)
    return `select d.id, d.accepted_at, d.tenant_id from deliveries d
      where d.tenant_id = ${p.add(tenantId)} and d.event_id = any(${p.add(selection.eventIds)}::uuid[])`;
  if ('executionIds' in selection)
    return `select distinct d.id, d.accepted_at, d.tenant_id from executions x join deliveries d on d.id = x.delivery_id
      where d.tenant_id = ${p.add(tenantId)} and x.id = any(${p.add(selection.executionIds)}::uuid[])
        and (x.keeps_slot or x.parent_id is null)`;
  if ('failuresOf' in selection)
    return `select d.id, d.accepted_at, d.tenant_id from executions x join deliveries d on d.id = x.delivery_id
      where x.operation_id = ${p.add(selection.failuresOf)} and x.tenant_id = ${p.add(tenantId)} and x.state = 'failed'
        and d.state = 'failed' ${after.id ? `and d.id > ${p.add(after.id)}` : ''} ${upTo?.id ? `and d.id <= ${p.add(upTo.id)}` : ''}
      order by d.id limit ${p.add(limit ?? null)}`;
  const partition = partitionsOf(selection)[after.partition] ?? {};
  const { filter, tenants } = selection;
  const where = [
    ...filterConditions(tenantId, filter, partition, p, { tenants, asOf }),
    ...beside('d', '>', selection, after, p),
    ...beside('d', '<=', selection, upTo, p),
  ];
  return `select d.id, d.accepted_at, d.tenant_id from deliveries d where ${where.join('\n      and ')}
      order by ${orderBy('d', selection)} limit ${p.add(limit ?? null)}`;
}

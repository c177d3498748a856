import type { OperationKind } from '../../domain/operations/operation-state.ts';
import {
  type DeliveryFilter,
  type EventSelection,
  isExplicit,
  isOfOperation,
  type SelectedTenants,
  type Selection,
} from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Parameters } from '../db/parameters.ts';
import { bound, filterConditions, filterSql, type Partition, tenantCondition } from './filter-conditions.ts';
import { ofEvents } from './of-events.ts';
import { inOrder } from './read-from.ts';
import { tenantByTenant } from './tenant-by-tenant.ts';

/** Where a selection stands. Times are texts of the database: a Date would lose its microseconds. */
export interface SelectionCursor {
  /** Index of the partition (an endpoint or a fault code) that is being read, each in the order of its index. */
  partition: number;
  /** Only where the operation spans tenants, whose rows follow one another. */
  tenantId?: Id<'tenant'>;
  acceptedAt?: string;
  id?: Id<'delivery'> | Id<'event'>;
}

/** A place in the order of a selection, within a partition. */
export type SelectionPlace = Omit<SelectionCursor, 'partition'>;

/** The part of a selection that is read at once: behind `after`, up to and with `upTo`, at most `limit` deliveries. */
export interface Stretch {
  after: SelectionCursor;
  upTo?: SelectionPlace;
  limit?: number;
}

/** The columns of a page: a delivery, and its place in the order of a selection. */
const PLACE: readonly string[] = ['id', 'accepted_at', 'tenant_id'];

/** Columns of `alias`, as SQL. */
const columnsOf = (alias: string, names: readonly string[]): string =>
  names.map((name) => `${alias}.${name}`).join(', ');

/** The whole selection. */
export const WHOLE: Stretch = { after: { partition: 0 } };

/** With more endpoints than this, one range of the tenant costs less than one range of each. */
const MAX_ENDPOINT_PARTITIONS = 50;

/** States that few deliveries are in at any time. */
const RARE_STATES: readonly DeliveryState[] = ['unknown', 'cancelled', 'ignored'];

/**
 * The states that are read one after the other; undefined stands for all that were asked for, at once. The place of an
 * operation that selects is in one of these, also where an earlier version began it.
 */
function rangesOf(asked: DeliveryState[] | undefined): (DeliveryState[] | undefined)[] {
  const rare = asked?.filter((state) => RARE_STATES.includes(state)) ?? [];
  const others = asked?.filter((state) => !RARE_STATES.includes(state)) ?? [];
  return rare.length > 0 && !others.includes('delivered')
    ? [rare, ...(others.length > 0 ? [others] : [])]
    : [undefined];
}

/** The ranges a filter is read in, so that each page is one ordered range of one index. */
export function partitionsOf(selection: Selection): Partition[] {
  if (!('filter' in selection) || isExplicit(selection)) return [{}];
  const { endpointIds, faultCodes, newest, state } = selection.filter;
  const apart = (ends: Partition[]) =>
    ends.flatMap((end) => rangesOf(state).map((states) => ({ ...end, ...(states ? { states } : {}) })));
  const byEndpoint = endpointIds && [...new Set(endpointIds)].map((endpointId) => ({ endpointId }));
  // A filter for newest executions finds few in each range.
  if (newest && !faultCodes)
    return apart(byEndpoint && byEndpoint.length <= MAX_ENDPOINT_PARTITIONS ? byEndpoint : [{}]);
  if (byEndpoint) return apart(byEndpoint);
  if (faultCodes) return [...new Set(faultCodes)].map((faultCode) => ({ faultCode }));
  return [{}];
}

/** The tenants that a selection names instead of its operation's own. */
function tenantsOf(selection: Selection): SelectedTenants | undefined {
  return 'tenants' in selection ? selection.tenants : undefined;
}

/** The columns of the index that a selection is read by, in its order. */
export function orderOf(selection: Selection): string[] {
  if (isOfOperation(selection)) return ['id'];
  return tenantsOf(selection) === undefined ? ['accepted_at', 'id'] : ['tenant_id', 'accepted_at', 'id'];
}

/** The order within one tenant of several. */
const orderWithin = (alias: string) => columnsOf(alias, ['accepted_at', 'id']);

/** The same columns of a table, as SQL. */
export function orderBy(alias: string, selection: Selection): string {
  return columnsOf(alias, orderOf(selection));
}

/** The condition for rows on one side of a place in that order; none where there is no place. */
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
 * A statement that reads those of these deliveries that a filter still selects, as `(id, accepted_at, tenant_id)`: for
 * deliveries that changed hands while they were looked at.
 */
export function stillSelected(
  tenantId: Id<'tenant'>,
  { filter, tenants }: Extract<Selection, { filter: DeliveryFilter }>,
  ids: Id<'delivery'>[],
  p: Parameters,
  asOf: Date,
): string {
  const where = filterConditions(tenantId, filter, {}, p, { tenants, asOf });
  where.push(`d.id = any(${p.add(ids)}::uuid[])`);
  return `select ${columnsOf('d', PLACE)} from deliveries d where ${where.join('\n      and ')}`;
}

/** A statement that reads the ids of those of these deliveries that a selection would find at present. */
export function stillMatching(
  tenantId: Id<'tenant'>,
  kind: OperationKind,
  selection: Selection,
  ids: Id<'delivery'>[],
  p: Parameters,
  asOf: Date,
): string {
  if ('filter' in selection)
    return `select m.id from (${stillSelected(tenantId, selection, ids, p, asOf)}) m`;
  const among = `d.tenant_id = ${p.add(tenantId)} and d.id = any(${p.add(ids)}::uuid[])`;
  if ('failuresOf' in selection)
    return `select d.id from deliveries d where ${among} and d.state = 'failed' and ${p.add(selection.failuresOf)} = any (
        array(select x.operation_id from executions x where x.delivery_id = d.id and x.state = 'failed'))`;
  if ('remainderOf' in selection)
    return `select d.id from deliveries d where ${among}
        and (d.state <> 'delivered' or ${p.add(kind === 'replay')}::boolean) and not ${p.add(selection.remainderOf)} = any (
        array(select x.operation_id from executions x where x.delivery_id = d.id
          and x.state in ('delivered', 'queued', 'scheduled', 'sending')))`;
  return `select d.id from deliveries d where ${among}`;
}

/** The conditions of a selection of `events v`. */
function eventConditions(
  selected: EventSelection,
  scope: { tenantId: Id<'tenant'>; tenants?: SelectedTenants | undefined; tenant?: string },
  p: Parameters,
): string[] {
  const where = [tenantCondition('v.tenant_id', scope, p)];
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
  tenantId: Id<'tenant'>,
  selection: Extract<Selection, { afresh: EventSelection }>,
  cursor: SelectionCursor,
  limit: number,
  p: Parameters,
  operationId?: Id<'operation'>,
): string {
  const { afresh, tenants } = selection;
  // Events that come in while it selects were matched just now; without a bound it would run after them without an end.
  const there = operationId
    ? [`v.accepted_at <= (select o.watermark from operations o where o.id = ${p.add(operationId)})`]
    : [];
  const read = (where: string[], order: string, most: string) =>
    `select v.* from events v where ${[...where, ...there].join('\n      and ')}
      order by ${order} limit ${most}`;
  if (Array.isArray(tenants))
    return tenantByTenant(tenants, { alias: 'v', after: cursor, limit }, p, (tenant, conditions, most) =>
      read([...eventConditions(afresh, { tenantId, tenant }, p), ...conditions], orderWithin('v'), most),
    );
  const where = [
    ...eventConditions(afresh, { tenantId, tenants }, p),
    ...beside('v', '>', selection, cursor, p),
  ];
  return read(where, orderBy('v', selection), p.add(limit));
}

/** A statement that reads these deliveries, where they belong to a tenant of the selection. */
export function deliveriesPage(
  tenantId: Id<'tenant'>,
  selection: Selection,
  deliveryIds: Id<'delivery'>[],
  p: Parameters,
  columns = PLACE,
): string {
  return `select ${columnsOf('d', columns)} from deliveries d
      where ${tenantCondition('d.tenant_id', { tenantId, tenants: tenantsOf(selection) }, p)}
        and d.id = any(${p.add(deliveryIds)}::uuid[])`;
}

/**
 * A statement that reads a stretch of the selected deliveries, with their tenants, in the order of an index, or, for an
 * explicit list, all of them. Every form is bound to the tenant, or to those that it names; ages count back from `asOf`, or now.
 * It reads other `columns` of them, which the places are among, where that saves a look-up later.
 */
export function selectionPage(
  tenantId: Id<'tenant'>,
  selection: Selection,
  stretch: Stretch,
  p: Parameters,
  asOf?: Date,
  columns = PLACE,
): string {
  const { after, upTo, limit } = stretch;
  if ('afresh' in selection) throw new Error('events that are matched afresh are read by themselves');
  if ('deliveryIds' in selection)
    return deliveriesPage(tenantId, selection, selection.deliveryIds, p, columns);
  if ('eventIds' in selection)
    return `select ${columnsOf('d', columns)} from deliveries d
      where d.tenant_id = ${p.add(tenantId)} and ${ofEvents('d', `${p.add(selection.eventIds)}::uuid[]`)}`;
  if ('executionIds' in selection)
    return `select distinct ${columnsOf('d', columns)} from executions x join deliveries d on d.id = x.delivery_id
      where d.tenant_id = ${p.add(tenantId)} and x.id = any(${p.add(selection.executionIds)}::uuid[])
        and (x.keeps_slot or x.parent_id is null)`;
  if ('failuresOf' in selection)
    return `select ${columnsOf('d', columns)} from execution_records x
      -- A look-up each: as a join the planner may read all the deliveries there are.
      cross join lateral (select y.* from deliveries y where y.id = x.delivery_id limit 1) d
      where x.operation_id = ${p.add(selection.failuresOf)} and x.tenant_id = ${p.add(tenantId)} and x.outcome = 'failed'
        and d.state = 'failed' ${after.id ? `and d.id > ${p.add(after.id)}` : ''} ${upTo?.id ? `and d.id <= ${p.add(upTo.id)}` : ''}
      order by d.id limit ${p.add(limit ?? null)}`;
  if ('remainderOf' in selection) return remainderPage(tenantId, selection.remainderOf, stretch, p, columns);
  const partition = partitionsOf(selection)[after.partition] ?? {};
  const { filter, tenants } = selection;
  // What is read in addition to the place is only in the whole delivery.
  const read = (
    of: { tenants?: SelectedTenants | undefined; tenant?: string },
    beside: string[],
    order: string,
    most: string,
  ) => {
    const found = filterSql(tenantId, filter, partition, p, { ...of, asOf, whole: columns !== PLACE });
    return inOrder(
      { ...found, where: [...found.where, ...beside] },
      { columns: columnsOf(columns === PLACE ? 'd' : found.whole, columns), order, limit: most },
    );
  };
  if (Array.isArray(tenants))
    return tenantByTenant(tenants, { alias: 'd', after, upTo, limit }, p, (tenant, conditions, most) =>
      read({ tenant }, conditions, orderWithin('d'), most),
    );
  const places = [...beside('d', '>', selection, after, p), ...beside('d', '<=', selection, upTo, p)];
  return read({ tenants }, places, orderBy('d', selection), p.add(limit ?? null));
}

/**
 * A statement that reads a stretch of the deliveries that an operation selected and did not deliver, in the order of
 * their ids: those that it still has to send are left out, and for a retry those that anybody has delivered.
 */
function remainderPage(
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  { after, upTo, limit }: Stretch,
  p: Parameters,
  columns: readonly string[],
): string {
  const of = p.add(operationId);
  return `select ${columnsOf('d', columns)} from (
        select e.delivery_id from execution_records e where e.operation_id = ${of} and case when e.outcome is null
          then (select q.state from queue q where q.delivery_id = e.delivery_id) = 'unknown' else e.outcome <> 'delivered' end
        union all
        select x.delivery_id from exclusions x where x.operation_id = ${of}
      ) r
      cross join lateral (select x.* from deliveries x where x.id = r.delivery_id limit 1) d
      where d.tenant_id = ${p.add(tenantId)}
        and (d.state <> 'delivered' or exists (select from operations o where o.id = ${of} and o.kind = 'replay'))
        ${after.id ? `and d.id > ${p.add(after.id)}` : ''} ${upTo?.id ? `and d.id <= ${p.add(upTo.id)}` : ''}
      order by d.id limit ${p.add(limit ?? null)}`;
}

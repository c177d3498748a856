import type { DeliveryFilter, Selection, TimeBound } from '../domain/selection.ts';

/** Where a selection stands. Times are texts of the database: a Date would lose its microseconds. */
export interface SelectionCursor {
  /** Index of the partition (an endpoint or a fault code) that is being read, each in the order of its index. */
  partition: number;
  acceptedAt?: string;
  id?: string;
}

/** Collects the parameters of a statement that is put together from parts. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a value and returns its placeholder. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

type Partition = { endpointId?: string; faultCode?: string };

/** The ranges a filter is read in, so that each page is one ordered range of one index. */
export function partitionsOf(selection: Selection): Partition[] {
  if (!('filter' in selection)) return [{}];
  const { endpointIds, faultCodes } = selection.filter;
  if (endpointIds) return [...new Set(endpointIds)].map((endpointId) => ({ endpointId }));
  if (faultCodes) return [...new Set(faultCodes)].map((faultCode) => ({ faultCode }));
  return [{}];
}

function bound(column: string, operator: '>' | '<', time: TimeBound, p: Parameters): string {
  return `${column} ${operator}${time.inclusive ? '=' : ''} ${p.add(time.at)}::timestamptz`;
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
): string[] {
  const states = filter.state ?? ['failed'];
  const where = [`d.tenant_id = ${p.add(tenantId)}`];
  // A literal, where it is one state: the partial indexes are only used when the planner can see it.
  where.push(
    states.length === 1 && states[0] === 'failed' ? `d.state = 'failed'` : `d.state = any(${p.add(states)})`,
  );
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
      and x.created_at < now() - ${p.add(filter.pendingLongerThanMs)}::float8 * interval '1 millisecond')`);
  return where;
}

/**
 * A statement that reads the next `limit` selected deliveries as `(id, accepted_at)` in the order of an index, or,
 * for an explicit list, all of them. Every form is bound to the tenant.
 */
export function selectionPage(
  tenantId: string,
  selection: Selection,
  cursor: SelectionCursor,
  limit: number,
  p: Parameters,
): string {
  if ('deliveryIds' in selection)
    return `select d.id, d.accepted_at from deliveries d
      where d.tenant_id = ${p.add(tenantId)} and d.id = any(${p.add(selection.deliveryIds)}::uuid[])`;
  if ('eventIds' in selection)
    return `select d.id, d.accepted_at from deliveries d
      where d.tenant_id = ${p.add(tenantId)} and d.event_id = any(${p.add(selection.eventIds)}::uuid[])`;
  if ('executionIds' in selection)
    return `select distinct d.id, d.accepted_at from executions x join deliveries d on d.id = x.delivery_id
      where d.tenant_id = ${p.add(tenantId)} and x.id = any(${p.add(selection.executionIds)}::uuid[])
        and (x.keeps_slot or x.parent_id is null)`;
  if ('failuresOf' in selection)
    return `select d.id, d.accepted_at from executions x join deliveries d on d.id = x.delivery_id
      where x.operation_id = ${p.add(selection.failuresOf)} and x.tenant_id = ${p.add(tenantId)} and x.state = 'failed'
        and d.state = 'failed' ${cursor.id ? `and d.id > ${p.add(cursor.id)}` : ''}
      order by d.id limit ${p.add(limit)}`;
  const partition = partitionsOf(selection)[cursor.partition] ?? {};
  const where = filterConditions(tenantId, selection.filter, partition, p);
  if (cursor.acceptedAt && cursor.id)
    where.push(
      `(d.accepted_at, d.id) > (${p.add(cursor.acceptedAt)}::timestamptz, ${p.add(cursor.id)}::uuid)`,
    );
  return `select d.id, d.accepted_at from deliveries d where ${where.join('\n      and ')}
      order by d.accepted_at, d.id limit ${p.add(limit)}`;
}

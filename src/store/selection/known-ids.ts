import type { DeliveryFilter, Selection } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { eventPage, selectionPage, WHOLE } from './selection-page.ts';

/** Which of the ids that a selection names are not the tenant's; a filter names none. */
export async function unknownIds(
  db: Queryable,
  tenantId: Id<'tenant'>,
  selection: Selection,
): Promise<string[]> {
  const named =
    'deliveryIds' in selection
      ? { table: 'deliveries', ids: selection.deliveryIds }
      : 'eventIds' in selection
        ? { table: 'events', ids: selection.eventIds }
        : 'executionIds' in selection
          ? { table: 'executions', ids: selection.executionIds }
          : 'failuresOf' in selection
            ? { table: 'operations', ids: [selection.failuresOf] }
            : 'remainderOf' in selection
              ? { table: 'operations', ids: [selection.remainderOf] }
              : undefined;
  if (!named) return [];
  const { rows } = await db.query<{ id: string }>({
    name: `unknown-${named.table}`,
    text: `select u.id from unnest($1::uuid[]) as u(id)
     where not exists (select from ${named.table} t where t.id = u.id and t.tenant_id = $2)`,
    values: [named.ids, tenantId],
  });
  return rows.map((row) => row.id);
}

/** An id of ours that a filter names and that is nobody's, or another tenant's. */
export interface UnknownInFilter {
  member: 'endpointIds' | 'dispatchBatchIds';
  id: string;
}

/** How far the events of an ingest call are from the time in its id. */
const NEAR = `interval '10 minutes'`;

/** The time in an id of version 7: `uuid_extract_timestamp` reads it since Postgres 18 only. */
const timeOf = (id: string) =>
  `to_timestamp(('x' || translate(left(${id}::text, 13), '-', ''))::bit(48)::bigint / 1000.0)`;

/** Which ids of ours in a filter are not the tenant's; names that clients gave may be used before they exist. */
export async function unknownInFilter(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { endpointIds = [], dispatchBatchIds = [] }: DeliveryFilter,
): Promise<UnknownInFilter[]> {
  if (endpointIds.length + dispatchBatchIds.length === 0) return [];
  const { rows } = await db.query<UnknownInFilter>(
    `select 'endpointIds' as member, u.id from unnest($2::uuid[]) as u(id)
     where not exists (select from endpoints n where n.id = u.id and n.tenant_id = $1)
     union all
     -- An operation, also one that spans tenants and has items of this one, or a call that events came in by.
     select 'dispatchBatchIds', u.id from unnest($3::uuid[]) as u(id)
     where not exists (select from operations o where o.id = u.id and o.tenant_id = $1)
       and not exists (select from executions e where e.operation_id = u.id and e.tenant_id = $1)
       and not exists (select from events v where v.tenant_id = $1 and v.ingest_call_id = u.id
         and v.accepted_at between ${timeOf('u.id')} - ${NEAR} and ${timeOf('u.id')} + ${NEAR})`,
    [tenantId, endpointIds, dispatchBatchIds],
  );
  return rows;
}

/** How many deliveries an explicit selection stands for, or may make, counted up to `most`. */
export async function countExplicit(
  db: Queryable,
  tenantId: Id<'tenant'>,
  selection: Selection,
  most: number,
): Promise<number> {
  if ('deliveryIds' in selection) return selection.deliveryIds.length;
  const p = new Parameters();
  const named = 'afresh' in selection ? selection.endpoints : undefined;
  const counted =
    'afresh' in selection
      ? `select from (${eventPage(tenantId, selection, { partition: 0 }, most, p)}) v
          join endpoints n on n.tenant_id = v.tenant_id and n.state <> 'deleted'
            ${named ? `and n.id = any(${p.add(named.ids)}::uuid[])` : ''}`
      : selectionPage(tenantId, selection, { ...WHOLE, limit: most }, p);
  const { rows } = await db.query<{ deliveries: number }>(
    `select count(*)::int as deliveries from (select from (${counted}) c limit ${p.add(most)}) d`,
    p.values,
  );
  return rows[0]?.deliveries ?? 0;
}

import { type Basis, COUNTED_EXACTLY, partSizes } from '../../domain/figures/bounded-count.ts';
import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import { type Pool, withTransaction } from '../db/pool.ts';
import type { Transaction } from '../db/queryable.ts';
import { codeOf, QUERY_CANCELED } from '../db/sqlstate.ts';
import { filterSql } from '../selection/filter-conditions.ts';
import { inOrder } from '../selection/read-from.ts';

/** What deliveries can be grouped by. */
export const DELIVERY_DIMENSIONS = ['endpoint', 'fault', 'status', 'type', 'hour'] as const;

/** One of {@link DELIVERY_DIMENSIONS}. */
export type DeliveryDimension = (typeof DELIVERY_DIMENSIONS)[number];

/** How each is read from a delivery of a part; only the type needs a look at the event. */
const COLUMNS: Readonly<Record<DeliveryDimension, { as: string; sql: string }>> = {
  endpoint: { as: 'endpoint_id', sql: 'm.endpoint_id' },
  fault: { as: 'fault_code', sql: 'm.fault_code' },
  status: { as: 'http_status', sql: 'm.http_status' },
  type: { as: 'event_type', sql: '(select v.type from events v where v.id = m.event_id limit 1)' },
  hour: { as: 'hour', sql: `date_bin('1 hour', m.accepted_at, 'epoch')` },
};

/** Deliveries that agree in everything that they are grouped by; null where a delivery has no such thing. */
export interface DeliveryGroup {
  endpointId?: Id<'endpoint'>;
  faultCode?: string | null;
  httpStatus?: number | null;
  eventType?: string | null;
  hour?: Date;
  count: number;
}

/** How many deliveries match, of one moment, in all and by group. */
export interface DeliveryGroups {
  asOf: Date;
  basis: Basis;
  count: number;
  groups: DeliveryGroup[];
}

interface PartRow {
  endpoint_id?: Id<'endpoint'>;
  fault_code?: string | null;
  http_status?: number | null;
  event_type?: string | null;
  hour?: Date;
  count: number;
  last_at: string;
  last_id: Id<'delivery'>;
}

interface Place {
  at: string;
  id: Id<'delivery'>;
}

/**
 * Counts the deliveries that a filter selects, by group: exactly where there are no more than so many and the time
 * suffices, else the newest of them, which is a lower bound. All of it is read from one snapshot.
 */
export async function groupDeliveries(
  pool: Pool,
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  { by, withinMs }: { by: readonly DeliveryDimension[]; withinMs: number },
): Promise<DeliveryGroups> {
  const endMs = performance.now() + withinMs;
  let found: { asOf: Date; count: number; groups: Map<string, DeliveryGroup> } | undefined;
  const basis = await withTransaction(
    pool,
    async (tx): Promise<Basis> => {
      // The snapshot is of this statement; a transaction that is run again begins from nothing.
      const { at } = onlyRow(await tx.query<{ at: Date }>('select statement_timestamp() as at'));
      const counting = { asOf: at, count: 0, groups: new Map<string, DeliveryGroup>() };
      found = counting;
      let after: Place | undefined;
      for (const size of partSizes(COUNTED_EXACTLY + 1)) {
        const leftMs = Math.floor(endMs - performance.now());
        if (leftMs <= 0) return 'atLeast';
        await tx.query(`set local statement_timeout = ${leftMs}`);
        const rows = await countPart(tx, tenantId, filter, { by, after, size });
        const counted = rows.reduce((sum, { count }) => sum + count, 0);
        for (const row of rows) addTo(counting.groups, row);
        counting.count += counted;
        const [first] = rows;
        if (!first || counted < size) break;
        after = { at: first.last_at, id: first.last_id };
      }
      return counting.count > COUNTED_EXACTLY ? 'atLeast' : 'exact';
    },
    { isolation: 'repeatable read' },
  ).catch((error: unknown): Basis => {
    if (codeOf(error) === QUERY_CANCELED && found) return 'atLeast';
    throw error;
  });
  if (!found) throw new Error('a count has no moment');
  const groups = [...found.groups.values()].sort((one, other) => other.count - one.count);
  return { asOf: found.asOf, basis, count: found.count, groups };
}

/** The next matches behind a place, newest first, by group; each row knows where the next part begins. */
async function countPart(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  { by, after, size }: { by: readonly DeliveryDimension[]; after: Place | undefined; size: number },
): Promise<PartRow[]> {
  const p = new Parameters();
  const read = filterSql(tenantId, filter, {}, p);
  if (after)
    read.where.push(`(d.accepted_at, d.id) < (${p.add(after.at)}::timestamptz, ${p.add(after.id)}::uuid)`);
  const page = inOrder(read, {
    columns: 'd.id, d.accepted_at, d.endpoint_id, d.fault_code, d.http_status, d.event_id',
    order: 'd.accepted_at desc, d.id desc',
    limit: p.add(size),
  });
  const columns = by.map((dimension) => COLUMNS[dimension]);
  const { rows } = await tx.query<PartRow>(
    `with part as materialized (
      ${page}
    ), last as materialized (select p.accepted_at::text as last_at, p.id as last_id from part p order by p.accepted_at, p.id limit 1),
    grouped as (
      select ${[...columns.map(({ as, sql }) => `${sql} as ${as}`), 'count(*)::int as count'].join(', ')}
      from part m ${columns.length > 0 ? `group by ${columns.map(({ as }) => as).join(', ')}` : ''}
    )
    select g.*, l.last_at, l.last_id from grouped g cross join last l`,
    p.values,
  );
  return rows;
}

function addTo(
  groups: Map<string, DeliveryGroup>,
  { count, last_at: _at, last_id: _id, ...row }: PartRow,
): void {
  const key = JSON.stringify(row);
  const known = groups.get(key);
  if (known) known.count += count;
  else
    groups.set(key, {
      ...(row.endpoint_id === undefined ? {} : { endpointId: row.endpoint_id }),
      ...(row.fault_code === undefined ? {} : { faultCode: row.fault_code }),
      ...(row.http_status === undefined ? {} : { httpStatus: row.http_status }),
      ...(row.event_type === undefined ? {} : { eventType: row.event_type }),
      ...(row.hour === undefined ? {} : { hour: row.hour }),
      count,
    });
}

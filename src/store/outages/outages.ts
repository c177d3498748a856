import type { DeliveryFilter, Selection } from '../../domain/operations/selection.ts';
import type { OnRecovered, OutageCause, OutageEnd, OutageState } from '../../domain/outages/outage-state.ts';
import { type OutageWindow, windowFilter } from '../../domain/outages/outage-window.ts';
import { present } from '../../domain/present.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { filterConditions, filterSql } from '../selection/filter-conditions.ts';

/** An outage of an endpoint. */
export interface Outage {
  id: Id<'outage'>;
  tenantId: Id<'tenant'>;
  endpointId: Id<'endpoint'>;
  cause: OutageCause;
  state: OutageState;
  /** How often it was opened. */
  openings: number;
  openedAt: Date;
  recoveredAt?: Date;
  /** What its endpoint asked for when it was back. */
  onRecovered?: OnRecovered;
  endedAt?: Date;
  endedFor?: OutageEnd;
  /** Up to now where it is open. */
  window: OutageWindow;
}

interface OutageRow {
  id: Id<'outage'>;
  tenant_id: Id<'tenant'>;
  endpoint_id: Id<'endpoint'>;
  cause: OutageCause;
  state: OutageState;
  began_at: Date;
  window_to: Date;
  reaches_back_to: Date;
  opened_at: Date;
  openings: number;
  recovered_at: Date | null;
  on_recovered: OnRecovered | null;
  ended_at: Date | null;
  ended_for: OutageEnd | null;
}

const SELECT = `select o.*, coalesce(o.recovered_at, o.ended_at, clock_timestamp()) as window_to from outages o`;

/** An outage of a tenant. */
export async function findOutage(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'outage'>,
): Promise<Outage | undefined> {
  const { rows } = await db.query<OutageRow>(`${SELECT} where o.id = $1 and o.tenant_id = $2`, [
    id,
    tenantId,
  ]);
  return rows[0] && outageFrom(rows[0]);
}

/** An outage, for the engine itself. */
export async function loadOutage(db: Queryable, id: Id<'outage'>): Promise<Outage | undefined> {
  const { rows } = await db.query<OutageRow>(`${SELECT} where o.id = $1`, [id]);
  return rows[0] && outageFrom(rows[0]);
}

/** Outages of a tenant, newest first, before a given one: of some endpoints, or in some states. */
export async function listOutages(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: {
    endpointIds?: Id<'endpoint'>[] | undefined;
    state?: OutageState[] | undefined;
    before?: Id<'outage'> | undefined;
    limit: number;
  },
): Promise<Outage[]> {
  const { rows } = await db.query<OutageRow>(
    `${SELECT} where o.tenant_id = $1 and ($2::uuid[] is null or o.endpoint_id = any($2))
       and ($3::text[] is null or o.state = any($3)) and ($4::uuid is null or o.id < $4)
     order by o.id desc limit $5`,
    [tenantId, page.endpointIds ?? null, page.state ?? null, page.before ?? null, page.limit],
  );
  return rows.map(outageFrom);
}

/** The selection of what an outage of a tenant left, in absolute times; undefined where the tenant has no such outage. */
export async function outageSelection(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'outage'>,
): Promise<Extract<Selection, { filter: object }> | undefined> {
  const outage = await findOutage(db, tenantId, id);
  return outage && selectionOfOutage(outage);
}

/** The selection of what an outage left. */
export function selectionOfOutage({
  id,
  window,
}: Pick<Outage, 'id' | 'window'>): Extract<Selection, { filter: object }> {
  return { outage: id, filter: windowFilter(window) };
}

/** Deliveries of a window that are in one state, for one cause. */
export interface WindowCount {
  state: DeliveryState;
  faultCode?: string;
  deliveries: number;
}

/** The counts of a window; where there are more than were counted, these are the least. */
export interface WindowCounts {
  counts: WindowCount[];
  more: boolean;
}

/** So many deliveries that were accepted before a window are looked at. */
const LOOKED_AT_BEFORE = 100_000;

const NOT_DELIVERED = ['pending', 'failed', 'unknown', 'cancelled', 'ignored'] as const;

/**
 * Counts the deliveries of a window by state and cause, up to `limit` in all. Of those that were accepted before it and
 * are delivered by now they are found among the last ones: all would be too many to be looked at.
 */
export async function countWindow(
  db: Queryable,
  tenantId: Id<'tenant'>,
  window: OutageWindow,
  limit: number,
): Promise<WindowCounts> {
  const p = new Parameters();
  const filter = windowFilter(window, NOT_DELIVERED);
  const left = filterSql(tenantId, filter, {}, p, { whole: true });
  const delivered = windowFilter(window, ['delivered']);
  const within: DeliveryFilter = { endpointIds: [window.endpointId], state: ['delivered'] };
  const from = p.add(window.from.toISOString());
  const before = `(select x.* from deliveries x where x.endpoint_id = ${p.add(window.endpointId)}
      and x.accepted_at < ${from}::timestamptz and x.accepted_at >= ${p.add(window.reachesBackTo.toISOString())}::timestamptz
      order by x.accepted_at desc, x.id desc limit ${LOOKED_AT_BEFORE})`;
  const ranges: [string, string[]][] = [
    [left.from, [...left.where, `not ${left.whole}.test`]],
    [
      'deliveries d',
      [
        ...filterConditions(tenantId, { ...within, ...delivered.caughtBetween }, {}, p),
        'd.import_id is null',
        'not d.test',
      ],
    ],
    [`${before} d`, [...filterConditions(tenantId, delivered, {}, p), 'not d.test']],
  ];
  const union = ranges.map(
    ([from, where]) =>
      `select d.state, case when d.state <> 'delivered' then d.fault_code end as fault_code
        from ${from} where ${where.join(' and ')}`,
  );
  const { rows } = await db.query<{ state: DeliveryState; fault_code: string | null; deliveries: number }>(
    `select state, fault_code, count(*)::int as deliveries
     from (${union.join(' union all ')} limit ${p.add(limit + 1)}) w group by 1, 2 order by 3 desc, 1, 2`,
    p.values,
  );
  const counts = rows.map(({ fault_code: faultCode, ...row }) => ({ ...row, ...present({ faultCode }) }));
  return { counts, more: counts.reduce((sum, { deliveries }) => sum + deliveries, 0) > limit };
}

function outageFrom(row: OutageRow): Outage {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    cause: row.cause,
    state: row.state,
    openings: row.openings,
    openedAt: row.opened_at,
    window: {
      endpointId: row.endpoint_id,
      from: row.began_at,
      to: row.window_to,
      reachesBackTo: row.reaches_back_to,
    },
    ...present({
      recoveredAt: row.recovered_at,
      onRecovered: row.on_recovered,
      endedAt: row.ended_at,
      endedFor: row.ended_for,
    }),
  };
}

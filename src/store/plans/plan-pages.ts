import type { PlanIdentity } from '../../domain/operations/plan.ts';
import { LEFT_OUT, PLAN_RISKS, riskBit } from '../../domain/operations/plan-risks.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { WHOLE_DELIVERY } from '../selection/fate.ts';
import type { FrozenOperation } from '../selection/freeze.ts';
import {
  deliveriesPage,
  orderOf,
  type SelectionPlace,
  type Stretch,
  selectionPage,
} from '../selection/selection-page.ts';
import { toldSql } from './told.ts';

/** The most ids of a page. */
export const PAGE_IDS = 1_000;

/** A stretch of a selection as it was read: what of it becomes pages of a plan. */
export interface ToldStretch {
  /** Deliveries that were read; those that came in later than the plan was asked for are no items of it. */
  selected: number;
  items: number;
  /** The last of them. */
  last?: SelectionPlace;
  /** The span of acceptance, as texts of the database. */
  from: string | null;
  to: string | null;
  /** Their ids in the order of selection, their risks, and the sums by endpoint: texts of the database, to be written as they are. */
  ids: string;
  risks: string;
  endpoints: string;
}

interface ToldRow {
  selected: number;
  items: number;
  last_id: Id<'delivery'> | null;
  last_tenant_id: Id<'tenant'> | null;
  last_accepted_at: string | null;
  from: string | null;
  to: string | null;
  ids: string;
  risks: string;
  endpoints: string;
}

const COUNTS = PLAN_RISKS.map((risk) => `count(*) filter (where t.risks & ${riskBit(risk)} <> 0)::int`).join(
  ', ',
);

/** Where the pages of a stretch begin in their plan. */
export interface PlaceInPlan {
  /** How many items are before them, as far as that is known. */
  items: number;
  /** How many of these are not summed up by endpoint yet. */
  unsummed?: number;
}

/**
 * Reads the deliveries of a stretch, or `only` these, with the risks of each, in one statement. What came in after the plan
 * was asked for is left out, or making it would run after it without an end.
 */
export async function tellStretch(
  db: Queryable,
  operation: FrozenOperation,
  { only, ...stretch }: Stretch & { only?: Id<'delivery'>[] },
  { items, unsummed }: PlaceInPlan,
): Promise<ToldStretch> {
  const p = new Parameters();
  const { tenantId, selection, watermark } = operation;
  const found = only
    ? deliveriesPage(tenantId, selection, only, p)
    : selectionPage(tenantId, selection, stretch, p, watermark, WHOLE_DELIVERY);
  const op = p.add(operation.id);
  const order = orderOf(selection).map((column) => `f.${column}`);
  const told = toldSql(operation, p, {
    before: items,
    ...present({ unsummed }),
    // Only what is matched afresh has items before it is planned.
    by: only ? {} : { mine: 'false' },
    whole: only === undefined,
  });
  const answer = await db.query<ToldRow>(
    `with found as materialized (${found}),
    page as materialized (
      select f.*, row_number() over (order by ${order.join(', ')}) as n from found f
      where f.accepted_at <= (select o.watermark from operations o where o.id = ${op})
    ),
    ${told},
    summed as (
      select t.endpoint_id, max(t.version) as version,
        coalesce(array_agg(distinct t.original_version) filter (where t.original_version is not null), '{}') as original_versions,
        count(*) as items, count(*) filter (where t.risks & ${LEFT_OUT} = 0) as sends, array[${COUNTS}] as risks
      from told t group by t.endpoint_id
    ),
    last as (select * from found f order by ${order.map((column) => `${column} desc`).join(', ')} limit 1),
    listed as (
      select coalesce(array_agg(t.id order by t.n), '{}')::text as ids, coalesce(array_agg(t.risks order by t.n), '{}')::text as risks,
        count(*)::int as items, min(t.accepted_at)::text as from, max(t.accepted_at)::text as to
      from told t
    )
    select (select count(*)::int from found) as selected, l.*, (select id from last) as last_id,
      (select tenant_id from last) as last_tenant_id, (select accepted_at::text from last) as last_accepted_at,
      (select coalesce(json_agg(s), '[]')::text from summed s) as endpoints
    from listed l`,
    p.values,
  );
  const { last_id: id, last_tenant_id: tenant, last_accepted_at: acceptedAt, ...row } = onlyRow(answer);
  return {
    ...row,
    ...(id !== null && tenant !== null && acceptedAt !== null
      ? { last: { id, tenantId: tenant, acceptedAt } }
      : {}),
  };
}

/** Writes a stretch down as the next pages of a plan, with its sums by endpoint; returns how many pages it became. */
export async function writeStretch(
  tx: Transaction,
  operationId: Id<'operation'>,
  { ids, risks, endpoints }: ToldStretch,
  pagesBefore: number,
): Promise<number> {
  const { rowCount } = await tx.query(
    `with summed as (
      insert into plan_endpoints as w (operation_id, endpoint_id, version, original_versions, items, sends, risks)
      select $1, s.endpoint_id, s.version, s.original_versions, s.items, s.sends, s.risks
      from json_to_recordset($2::json) as s(endpoint_id uuid, version int, original_versions int[], items int, sends int, risks int[])
      order by s.endpoint_id
      on conflict (operation_id, endpoint_id) do update set
        items = w.items + excluded.items, sends = w.sends + excluded.sends,
        original_versions = array(select distinct u from unnest(w.original_versions || excluded.original_versions) u order by u),
        risks = array(select a + b from unnest(w.risks, excluded.risks) with ordinality as pair(a, b, i) order by i)
    )
    insert into plan_pages (operation_id, number, ids, risks, any_risks, digest)
    select $1, $5::int + ((u.n - 1) / ${PAGE_IDS})::int, array_agg(u.id order by u.n), array_agg(u.risks order by u.n), bit_or(u.risks),
      sha256(string_agg(uuid_send(u.id), ''::bytea order by u.n))
    from unnest($3::uuid[], $4::smallint[]) with ordinality as u(id, risks, n) group by (u.n - 1) / ${PAGE_IDS}`,
    [operationId, endpoints, ids, risks, pagesBefore],
  );
  return rowCount ?? 0;
}

/**
 * Takes the second occurrences of deliveries out of the pages of a plan and out of its sums: one that changed its fault or
 * its state while the plan was made can be met in two parts of the selection. Returns how many they were.
 */
export async function removeRepeats(tx: Transaction, operationId: Id<'operation'>): Promise<number> {
  const minus = PLAN_RISKS.map((risk) => `count(*) filter (where r.risks & ${riskBit(risk)} <> 0)::int`).join(
    ', ',
  );
  const { rows } = await tx.query<{ removed: number }>(
    `with every as materialized (
      select g.number, u.n, u.id, u.risks, row_number() over (partition by u.id order by g.number, u.n) as nth
      from plan_pages g cross join lateral unnest(g.ids, g.risks) with ordinality as u(id, risks, n)
      where g.operation_id = $1
    ), repeats as materialized (select * from every where nth > 1),
    kept as (
      select g.number, coalesce(array_agg(e.id order by e.n) filter (where e.id is not null), '{}') as ids,
        coalesce(array_agg(e.risks order by e.n) filter (where e.id is not null), '{}') as risks,
        coalesce(bit_or(e.risks), 0)::smallint as any_risks,
        sha256(coalesce(string_agg(uuid_send(e.id), ''::bytea order by e.n), ''::bytea)) as digest
      from (select distinct number from repeats) g left join every e on e.number = g.number and e.nth = 1
      group by g.number
    ), rewritten as (
      update plan_pages g set ids = k.ids, risks = k.risks, any_risks = k.any_risks, digest = k.digest
      from kept k where g.operation_id = $1 and g.number = k.number
    ), summed as (
      update plan_endpoints w set items = w.items - s.items, sends = w.sends - s.sends,
        risks = array(select a - b from unnest(w.risks, s.risks) with ordinality as pair(a, b, i) order by i)
      from (
        select d.endpoint_id, count(*)::int as items, count(*) filter (where r.risks & ${LEFT_OUT} = 0)::int as sends,
          array[${minus}] as risks
        from repeats r cross join lateral (select x.endpoint_id from deliveries x where x.id = r.id limit 1) d
        group by d.endpoint_id
      ) s where w.operation_id = $1 and w.endpoint_id = s.endpoint_id
    )
    select count(*)::int as removed from repeats`,
    [operationId],
  );
  return rows[0]?.removed ?? 0;
}

const IDS_AT_ONCE = 10_000;

/**
 * Reads the ids and risks of a plan, ascending by id, some thousands at a time, for the digests over all of them: ids of 16
 * bytes each, risks of two, the higher one first. Postgres sorts; neither it nor this process holds all of them in memory.
 */
export async function eachPlanned(
  tx: Transaction,
  operationId: Id<'operation'>,
  take: (some: { ids: Buffer; risks: Buffer }) => void,
): Promise<number> {
  // The sort of ten million takes longer than a statement may otherwise take.
  await tx.query(`set local statement_timeout = '10min'`);
  await tx.query(
    `declare planned_ids no scroll cursor for
     select count(*)::int as items, string_agg(uuid_send(s.id), ''::bytea order by s.id) as ids,
       string_agg(int2send(s.risks), ''::bytea order by s.id) as risks
     from (
       select u.id, u.risks, (row_number() over (order by u.id) - 1) / ${IDS_AT_ONCE} as some
       from plan_pages g cross join lateral unnest(g.ids, g.risks) as u(id, risks) where g.operation_id = '${operationId}'
     ) s group by s.some order by s.some`,
  );
  let items = 0;
  for (;;) {
    const { rows } = await tx.query<{ items: number; ids: Buffer; risks: Buffer }>(
      'fetch 10 from planned_ids',
    );
    if (rows.length === 0) break;
    for (const row of rows) {
      items += row.items;
      take(row);
    }
  }
  await tx.query('close planned_ids');
  return items;
}

/** The version that each endpoint of a plan had when the plan met it. */
export async function endpointVersionsOf(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<PlanIdentity['endpointVersions']> {
  const { rows } = await db.query<{ endpoint_id: Id<'endpoint'>; version: number }>(
    'select endpoint_id, version from plan_endpoints where operation_id = $1 order by endpoint_id',
    [operationId],
  );
  return Object.fromEntries(rows.map((row) => [row.endpoint_id, row.version]));
}

/** The ids of some pages of a plan, in their order, from one on; with the bits of each. */
export async function pagesFrom(
  db: Queryable,
  operationId: Id<'operation'>,
  first: number,
  count: number,
): Promise<{ ids: Id<'delivery'>[]; risks: number[] }> {
  const { rows } = await db.query<{ ids: Id<'delivery'>[]; risks: number[] }>(
    `select ids, risks from plan_pages where operation_id = $1 and number >= $2 and number < $2 + $3 order by number`,
    [operationId, first, count],
  );
  return { ids: rows.flatMap((row) => row.ids), risks: rows.flatMap((row) => row.risks) };
}

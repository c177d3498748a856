import type { Plan, PlanDrift } from '../../domain/operations/plan.ts';
import { LEFT_OUT } from '../../domain/operations/plan-risks.ts';
import type { ExclusionReason } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Pool } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';
import { withinTime } from '../db/within-time.ts';
import { decisionSql, seenSql } from '../selection/fate.ts';
import { type FilterSql, filterSql } from '../selection/filter-conditions.ts';
import { type FrozenOperation, type PlannedFreeze, plannedBy } from '../selection/freeze.ts';
import { deliveriesPage, selectionPage, WHOLE } from '../selection/selection-page.ts';

type Gone = PlanDrift['gone'];

interface GoneRow {
  reason: ExclusionReason;
  items: number;
}

/** The endpoints of a plan whose address is not the one that it showed, with what of it has changed. */
export async function movedEndpoints(
  db: Queryable,
  { operationId }: Pick<Plan, 'operationId'>,
): Promise<PlanDrift['endpointChanged']> {
  const { rows } = await db.query<{
    endpoint_id: Id<'endpoint'>;
    version: number;
    current_version: number;
    url: boolean;
    headers: boolean;
  }>(
    `select w.endpoint_id, w.version, n.current_version, was.url <> now.url as url,
       was.sealed_headers is distinct from now.sealed_headers as headers
     from plan_endpoints w join endpoints n on n.id = w.endpoint_id and n.current_version <> w.version
     join endpoint_versions was on was.endpoint_id = n.id and was.version = w.version
     join endpoint_versions now on now.endpoint_id = n.id and now.version = n.current_version
     where w.operation_id = $1 and (was.url <> now.url or was.sealed_headers is distinct from now.sealed_headers)
     order by w.endpoint_id`,
    [operationId],
  );
  return rows.map((row) => ({
    endpointId: row.endpoint_id,
    from: row.version,
    to: row.current_version,
    members: [...(row.url ? ['url'] : []), ...(row.headers ? ['headers'] : [])],
  }));
}

/** Counts, by reason, the deliveries of some pages that would be left out now and would not have been when they were planned. */
export async function countGone(
  db: Queryable,
  operation: FrozenOperation,
  { ids, risks, moved }: PlannedFreeze & { risks: number[] },
): Promise<Gone> {
  const p = new Parameters();
  const page = deliveriesPage(operation.tenantId, operation.selection, ids, p);
  const op = p.add(operation.id);
  const decision = decisionSql(operation, op, plannedBy(operation, { ids, moved }, p));
  const { rows } = await db.query<GoneRow>(
    `with page as materialized (${page}),
     seen as (${seenSql()}),
     decided as materialized (select s.id, ${decision} as decision from seen s)
     select d.decision as reason, count(*)::int as items
     from decided d join unnest(${p.add(ids)}::uuid[], ${p.add(risks)}::int[]) as w(id, risks) on w.id = d.id
     where w.risks & ${LEFT_OUT} = 0 and d.decision not in ('new', 'take', 'repeat', 'mine') group by 1`,
    p.values,
  );
  return goneFrom(rows);
}

/** Counts, by reason, the deliveries of some pages that were left out and would not have been when they were planned. */
export async function countExcluded(
  db: Queryable,
  operationId: Id<'operation'>,
  { ids, risks }: { ids: Id<'delivery'>[]; risks: number[] },
): Promise<Gone> {
  const { rows } = await db.query<GoneRow>(
    `select x.reason, count(*)::int as items
     from unnest($2::uuid[], $3::int[]) as w(id, risks)
     cross join lateral (
       select e.reason from exclusions e where e.operation_id = $1 and e.delivery_id = w.id limit 1
     ) x
     where w.risks & ${LEFT_OUT} = 0 group by 1`,
    [operationId, ids, risks],
  );
  return goneFrom(rows);
}

/** Counts the deliveries that match now and are not in the plan; undefined where that takes longer than `withinMs`. */
export async function countAdded(
  pool: Pool,
  { id, tenantId, selection }: Pick<FrozenOperation, 'id' | 'tenantId' | 'selection'>,
  withinMs: number,
): Promise<number | undefined> {
  const p = new Parameters();
  const matching =
    'filter' in selection
      ? matchesOf(filterSql(tenantId, selection.filter, {}, p))
      : selectionPage(tenantId, selection, WHOLE, p);
  return withinTime(pool, withinMs, async (tx) => {
    const { rows } = await tx.query<{ items: number }>(
      `select count(*)::int as items from (${matching}) m left join (
         select u.id from plan_pages g cross join lateral unnest(g.ids) as u(id) where g.operation_id = ${p.add(id)}
       ) w on w.id = m.id where w.id is null`,
      p.values,
    );
    return rows[0]?.items ?? 0;
  });
}

const matchesOf = ({ from, where }: FilterSql) => `select d.id from ${from} where ${where.join(' and ')}`;

function goneFrom(rows: GoneRow[]): Gone {
  return Object.fromEntries(rows.map(({ reason, items }) => [reason, items]));
}

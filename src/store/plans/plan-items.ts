import type { Operation } from '../../domain/operations/operation.ts';
import type { Plan } from '../../domain/operations/plan.ts';
import { type PlanRisk, riskBit } from '../../domain/operations/plan-risks.ts';
import type { ExclusionReason } from '../../domain/operations/selection.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { PAGE_IDS } from './plan-pages.ts';
import { toldSql } from './told.ts';

/** One delivery of a plan, as it was planned and as it is now. */
export interface PlanItem {
  deliveryId: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  eventId: Id<'event'>;
  eventType: string;
  externalId?: string;
  /** The bits of its risks when it was planned. */
  planned: number;
  /** The same now. */
  now: number;
  /** Why it would be left out now. */
  leftOutFor?: ExclusionReason;
  /** The execution of it that is open, and the operation that works it. */
  openExecutionId?: Id<'execution'>;
  openOperationId?: Id<'operation'>;
}

interface ItemRow {
  id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  event_id: Id<'event'>;
  type: string;
  external_id: string | null;
  planned: number;
  risks: number;
  decision: ExclusionReason | 'new' | 'take' | 'repeat' | 'mine';
  open_execution: Id<'execution'> | null;
  open_operation: Id<'operation'> | null;
}

/** A page of the deliveries of a plan. */
export interface PlanItems {
  items: PlanItem[];
  /** Deliveries of this page that are not listed, as their events were past their term and are gone. */
  gone: number;
  /** Behind which place the next page begins; undefined on the last one. */
  next?: number;
}

/** A delivery of a plan at its place. */
interface Place {
  id: Id<'delivery'>;
  planned: number;
  at: number;
}

/** How many pages are looked through at a time for deliveries that have a risk. */
const PAGES_AT_ONCE = 100;
/** How many places are read at a time once some have been found to be gone: all of a plan may be. */
const PLACES_AT_ONCE = 10_000;

/**
 * Deliveries of a plan in the order of selection, behind a place in it: all, or those that had one of these risks when it
 * was planned.
 */
export async function listPlanItems(
  db: Queryable,
  operation: Operation,
  plan: Plan,
  { risks, after = -1, limit }: { risks?: PlanRisk[]; after?: number; limit: number },
): Promise<PlanItems> {
  const bits = risks?.reduce((sum, risk) => sum | riskBit(risk), 0);
  const found: Place[] = [];
  let gone = 0;
  // One more than is shown says where the next page begins.
  for (let from = after + 1; from < plan.pages * PAGE_IDS && found.length <= limit; ) {
    const first = Math.floor(from / PAGE_IDS);
    const asked = gone === 0 ? limit + 1 - found.length : PLACES_AT_ONCE;
    const { rows } = await db.query<Place & { kept: boolean }>(
      `select u.id, u.risks as planned, (g.number * ${PAGE_IDS} + u.n - 1)::int as at,
         exists (select from deliveries d where d.id = u.id) as kept
       from plan_pages g cross join lateral unnest(g.ids, g.risks) with ordinality as u(id, risks, n)
       where g.operation_id = $1 and g.number >= $2 and g.number < $2 + ${PAGES_AT_ONCE}
         and ($3::int is null or g.any_risks & $3 <> 0) and ($3::int is null or u.risks & $3 <> 0)
         and g.number * ${PAGE_IDS} + u.n - 1 >= $4
       order by g.number, u.n limit $5`,
      [operation.id, first, bits ?? null, from, asked],
    );
    for (const { kept, ...place } of rows) {
      if (found.length > limit) break;
      if (kept) found.push(place);
      else gone += 1;
    }
    const last = rows.at(-1);
    from = last && rows.length === asked ? last.at + 1 : (first + PAGES_AT_ONCE) * PAGE_IDS;
  }
  const shown = found.slice(0, limit);
  const behind = found[limit];
  const items = shown.length === 0 ? [] : await toldNow(db, operation, shown);
  return {
    items,
    // Some may have gone between the two statements.
    gone: gone + shown.length - items.length,
    ...(behind ? { next: behind.at - 1 } : {}),
  };
}

async function toldNow(db: Queryable, operation: Operation, found: Place[]): Promise<PlanItem[]> {
  const p = new Parameters();
  const told = toldSql(operation, p, { present: true, before: 0 });
  const { rows } = await db.query<ItemRow>(
    `with page as materialized (
       select u.id, u.at + 1 as n, u.planned
       from unnest(${p.add(found.map(({ id }) => id))}::uuid[], ${p.add(found.map(({ at }) => at))}::int[],
         ${p.add(found.map(({ planned }) => planned))}::int[]) as u(id, at, planned)
     ), ${told}
     select t.id, t.endpoint_id, t.risks, t.decision, g.planned, d.event_id, v.type, v.external_id,
       case when t.tip_open then t.tip_id end as open_execution, case when t.tip_open then t.holder_id end as open_operation
     from page g join told t on t.id = g.id
     cross join lateral (select x.event_id from deliveries x where x.id = t.id limit 1) d
     cross join lateral (select x.type, x.external_id from events x where x.id = d.event_id limit 1) v
     order by g.n`,
    p.values,
  );
  return rows.map((row) => ({
    deliveryId: row.id,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.type,
    planned: row.planned,
    now: row.risks,
    ...(row.decision === 'new' ||
    row.decision === 'take' ||
    row.decision === 'repeat' ||
    row.decision === 'mine'
      ? {}
      : { leftOutFor: row.decision }),
    ...present({
      externalId: row.external_id,
      openExecutionId: row.open_execution,
      openOperationId: row.open_operation,
    }),
  }));
}

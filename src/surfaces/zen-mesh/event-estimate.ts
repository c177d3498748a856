import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../../store/db/only-row.ts';
import { Parameters } from '../../store/db/parameters.ts';
import type { Pool } from '../../store/db/pool.ts';
import { withinTime } from '../../store/db/within-time.ts';
import { filterSql } from '../../store/selection/filter-conditions.ts';

interface PlanRow {
  'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }];
}

/**
 * The number of events whose deliveries a filter selects, whose payload is kept and whose endpoint is enabled: counted,
 * or, where that takes longer than `budgetMs`, estimated by the planner.
 */
export async function estimateEvents(
  pool: Pool,
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  budgetMs: number,
): Promise<number> {
  const p = new Parameters();
  const { from, where } = filterSql(tenantId, filter, {}, p);
  const selected = `select distinct d.event_id from ${from}
    where ${where.join('\n and ')}
      and (select b.event_id from payloads b where b.event_id = d.event_id) is not null
      -- As an array: for one look-up a row the planner would expect next to nothing.
      and d.endpoint_id = any(array(select n.id from endpoints n where n.tenant_id = ${p.add(tenantId)} and n.state = 'enabled'))`;
  const counted = await withinTime(pool, budgetMs, (tx) =>
    tx.query<{ events: number }>(`select count(*)::int as events from (${selected}) s`, p.values),
  );
  if (counted) return onlyRow(counted).events;
  const explained = await pool.query<PlanRow>(`explain (format json) ${selected}`, p.values);
  return Math.round(onlyRow(explained)['QUERY PLAN'][0].Plan['Plan Rows']);
}

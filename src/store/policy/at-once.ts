import type { RiskCounts } from '../../domain/operations/plan-risks.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { heldUntil } from './held-by-windows.ts';

/** Deliveries that are to be sent at once, as a policy asks about them. */
export interface ToldAtOnce {
  items: number;
  risks: Pick<RiskCounts, 'mayHaveArrived' | 'addressChanged' | 'alreadyDelivered'>;
  /** A freeze window holds the endpoint of one of them. */
  frozen: boolean;
}

/** SQL: the ids of the deliveries that are meant. */
export type DeliveriesSql = (p: Parameters) => string;

interface ToldRow {
  items: number;
  arrived: number;
  moved: number;
  delivered: number;
  frozen: boolean;
}

/** Tells of deliveries of a tenant that are to be sent at once. One whose outcome is unknown may have arrived. */
export async function tellAtOnce(
  db: Queryable,
  tenantId: Id<'tenant'>,
  deliveries: DeliveriesSql,
): Promise<ToldAtOnce> {
  const p = new Parameters();
  const ids = deliveries(p);
  const answer = await db.query<ToldRow>(
    `with named as materialized (${ids}),
    told as materialized (
      select d.endpoint_id, d.state = 'delivered' as delivered,
        d.state <> 'delivered' and (coalesce(own.state = 'unknown' or own.may_have_arrived, false) or coalesce((
          select bool_or(r.may_have_arrived) from execution_records r where r.delivery_id = d.id), false)) as arrived,
        coalesce(first.url <> next.url, false) as moved
      from named
      cross join lateral (select x.* from deliveries x where x.id = named.id limit 1) d
      cross join lateral (select x.current_version from endpoints x where x.id = d.endpoint_id limit 1) n
      left join lateral (select q.* from queue q where q.delivery_id = d.id limit 1) own on true
      left join lateral (select v.url from endpoint_versions v
        where v.endpoint_id = d.endpoint_id and v.version = d.original_version limit 1) first on true
      left join lateral (select v.url from endpoint_versions v
        where v.endpoint_id = d.endpoint_id and v.version = coalesce(own.target_version, n.current_version) limit 1) next on true
    )
    select count(*)::int as items, count(*) filter (where t.arrived)::int as arrived,
      count(*) filter (where t.moved)::int as moved, count(*) filter (where t.delivered)::int as delivered,
      coalesce((select bool_or(${heldUntil(p.add(tenantId), 'e.endpoint_id')} is not null)
        from (select distinct endpoint_id from told) e), false) as frozen
    from told t`,
    p.values,
  );
  const { items, arrived, moved, delivered, frozen } = onlyRow(answer);
  return {
    items,
    risks: { mayHaveArrived: arrived, addressChanged: moved, alreadyDelivered: delivered },
    frozen,
  };
}

import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { Basis } from '../../domain/figures/bounded-count.ts';
import { COUNTED_PARTS, type OperationCounts } from '../../domain/operations/operation-counts.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { isJudged } from './canaries.ts';
import { itemsOf } from './items-of.ts';

/** How a canary stands, or ended. */
export interface CanaryStanding {
  state: 'testing' | 'passed' | 'held';
  /** Items that it may take, and has. */
  allowed: number;
  claimed: number;
  /** First attempts and those of them that did not deliver: so far, or when it was judged. */
  tally?: { attempts: number; bad: number };
}

/** The part of an operation that is for one endpoint. */
export interface OperationEndpoint {
  endpointId: Id<'endpoint'>;
  handle: string;
  state: EndpointState;
  counts: OperationCounts;
  canary?: CanaryStanding;
}

/** An operation by endpoint, the largest first, of one moment. */
export interface OperationEndpoints {
  asOf: Date;
  basis: Basis;
  endpointCount: number;
  endpoints: OperationEndpoint[];
  /** The sum over the endpoints that are not among them. */
  others: OperationCounts;
}

const PARTS = ['expected', ...COUNTED_PARTS] as const;
/** States of items; what was excluded has a table of its own. */
const STATES = COUNTED_PARTS.filter((part) => part !== 'excluded');

type EndpointRow = OperationCounts & {
  as_of: Date;
  cut: boolean;
  endpoints: number;
  /** Null: the sum of the others. */
  endpoint_id: Id<'endpoint'> | null;
  handle: string | null;
  endpoint_state: EndpointState | null;
  canary_state: CanaryStanding['state'] | null;
  allowed: number | null;
  claimed: number | null;
  attempts: number | null;
  bad: number | null;
};

/**
 * Counts the items and exclusions of an operation by endpoint, as they were when its counts were frozen, or as they are.
 * It reads each of them that is still kept, no more than `items` of each kind: where there were more the numbers are lower
 * bounds.
 */
export async function operationEndpoints(
  db: Queryable,
  operationId: Id<'operation'>,
  { items, endpoints }: { items: number; endpoints: number },
): Promise<OperationEndpoints> {
  const { rows } = await db.query<EndpointRow>(
    `with item as materialized (
      select e.id, e.endpoint_id, e.attempts, coalesce(f.state, e.state) as state from ${itemsOf('$1')} e
      left join frozen_items f on f.operation_id = $1 and f.execution_id = e.id
      limit $2::int + 1
    ), exclusion as materialized (
      select (select d.endpoint_id from deliveries d where d.id = x.delivery_id limit 1) as endpoint_id
      from exclusions x where x.operation_id = $1 limit $2::int + 1
    ), counted as (
      select endpoint_id, count(*) as expected,
        ${STATES.map((state) => `count(*) filter (where state = '${state}') as ${state}`).join(', ')}, 0 as excluded
      from item group by 1
      union all
      select endpoint_id, count(*), ${STATES.map(() => '0').join(', ')}, count(*) from exclusion group by 1
    ), summed as materialized (
      select endpoint_id, ${PARTS.map((part) => `sum(${part})::int as ${part}`).join(', ')},
        row_number() over (order by sum(expected) desc, endpoint_id) as place
      from counted group by 1
    ), tried as (
      -- Of canaries that are still out; the others were counted when they were judged.
      select i.endpoint_id, count(*)::int as attempts, count(*) filter (where a.outcome <> 'delivered')::int as bad
      from item i join canaries c on c.operation_id = $1 and c.endpoint_id = i.endpoint_id and c.state = 'testing'
      cross join lateral (select k.outcome from attempts k
        where k.execution_id = i.id and k.started_at >= c.began_at and ${isJudged('k')} order by k.number limit 1) a
      where i.attempts > 0 group by 1
    ), told as (
      select ${PARTS.map((part) => `s.${part}`).join(', ')}, s.place, s.endpoint_id from summed s where s.place <= $3
      union all
      select ${PARTS.map((part) => `coalesce(sum(s.${part}), 0)::int`).join(', ')}, $3::int + 1, null
      from summed s where s.place > $3
    )
    select statement_timestamp() as as_of, (select count(*) > $2 from item) or (select count(*) > $2 from exclusion)
      -- Items whose events are past their term are gone.
      or coalesce((select c.expected from operation_counts c where c.operation_id = $1 and c.frozen)
        > (select coalesce(sum(s.expected), 0) from summed s), false) as cut,
      (select count(*)::int from summed) as endpoints, ${PARTS.map((part) => `t.${part}`).join(', ')}, t.endpoint_id, n.handle,
      n.state as endpoint_state, c.state as canary_state, c.allowed, c.claimed,
      case when c.state = 'testing' then coalesce(f.attempts, 0) else c.judged_attempts end as attempts,
      case when c.state = 'testing' then coalesce(f.bad, 0) else c.judged_bad end as bad
    from told t left join endpoints n on n.id = t.endpoint_id
    left join canaries c on c.operation_id = $1 and c.endpoint_id = t.endpoint_id
    left join tried f on f.endpoint_id = c.endpoint_id
    order by t.place`,
    [operationId, items, endpoints],
  );
  const shown = rows.filter((row) => row.endpoint_id !== null);
  const [first] = rows;
  return {
    asOf: first?.as_of ?? new Date(),
    basis: first?.cut ? 'atLeast' : 'exact',
    endpointCount: first?.endpoints ?? 0,
    endpoints: shown.map(endpointFrom),
    others: countsOf(rows.find((row) => row.endpoint_id === null)),
  };
}

function endpointFrom(row: EndpointRow): OperationEndpoint {
  return {
    endpointId: row.endpoint_id as Id<'endpoint'>,
    handle: row.handle ?? '',
    state: row.endpoint_state ?? 'deleted',
    counts: countsOf(row),
    ...present({ canary: canaryFrom(row) }),
  };
}

function canaryFrom(row: EndpointRow): CanaryStanding | undefined {
  if (row.canary_state === null) return undefined;
  return {
    state: row.canary_state,
    allowed: row.allowed ?? 0,
    claimed: row.claimed ?? 0,
    ...(row.attempts === null || row.bad === null ? {} : { tally: { attempts: row.attempts, bad: row.bad } }),
  };
}

function countsOf(row: OperationCounts | undefined): OperationCounts {
  return Object.fromEntries(PARTS.map((part) => [part, row?.[part] ?? 0])) as unknown as OperationCounts;
}

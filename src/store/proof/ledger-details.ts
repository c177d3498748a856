import { present } from '../../domain/present.ts';
import type { EndpointResult, LedgerDetails } from '../../domain/proof/ledger-details.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';
import { itemsOf } from '../operations/items-of.ts';

/** Endpoints that a report tells apart; the rest is in the ledger. */
const MOST_ENDPOINTS = 1_000;

/** The attempts of an operation in all. */
export interface AttemptTotals {
  attempts: number;
  firstAt?: Date;
  lastAt?: Date;
}

interface TalliesRow {
  attempts: number;
  first_at: Date | null;
  last_at: Date | null;
  faults: Record<string, number> | null;
  endpoint_count: number;
  endpoints: EndpointJson[] | null;
}

interface EndpointJson {
  id: Id<'endpoint'>;
  handle: string;
  counts: Partial<Record<ExecutionState, number>>;
  versions: number[] | null;
  attempts: number | null;
  faults: Record<string, number> | null;
  first_ms: number | null;
  last_ms: number | null;
}

/** Tallies an operation's items and their attempts, all of which it reads once; asked for when its counts are frozen. */
export async function ledgerDetails(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<{ totals: AttemptTotals; details: LedgerDetails }> {
  const row = onlyRow(
    await db.query<TalliesRow>(
      `with states as materialized (
        select endpoint_id, state, count(*)::int as n from ${itemsOf('$1')} e group by 1, 2
      ), tried as materialized (
        select e.endpoint_id, a.endpoint_version as version, case when a.outcome <> 'delivered' then a.fault_code end as fault,
          count(*)::int as n, min(a.started_at) as first_at, max(a.started_at) as last_at
        from execution_records e
        -- With an offset: a look-up an item, in the one partition that has it, where a join may read all partitions.
        cross join lateral (select x.* from attempts x where x.execution_id = e.id offset 0) a
        where e.operation_id = $1 group by 1, 2, 3
      ), largest as materialized (
        select endpoint_id as id, sum(n) as items, jsonb_object_agg(state, n) as counts from states
        group by 1 order by items desc, 1 limit ${MOST_ENDPOINTS}
      ), shown as (
        select l.id, l.items, l.counts, n.handle,
          (select jsonb_agg(distinct t.version order by t.version) from tried t where t.endpoint_id = l.id and t.version is not null)
            as versions,
          (select jsonb_object_agg(f.fault, f.n) from (select t.fault, sum(t.n) as n from tried t
            where t.endpoint_id = l.id and t.fault is not null group by 1) f) as faults,
          s.attempts, s.first_ms, s.last_ms
        from largest l join endpoints n on n.id = l.id
        cross join lateral (select sum(t.n) as attempts, extract(epoch from min(t.first_at)) * 1000 as first_ms,
          extract(epoch from max(t.last_at)) * 1000 as last_ms from tried t where t.endpoint_id = l.id) s
      )
      select coalesce(sum(t.n), 0)::int as attempts, min(t.first_at) as first_at, max(t.last_at) as last_at,
        (select jsonb_object_agg(f.fault, f.n) from (select x.fault, sum(x.n) as n from tried x
          where x.fault is not null group by 1) f) as faults,
        (select count(distinct endpoint_id)::int from states) as endpoint_count,
        (select jsonb_agg(to_jsonb(w) order by w.items desc, w.id) from shown w) as endpoints
      from tried t`,
      [operationId],
    ),
  );
  const canaries = await db.query<{
    endpoint_id: Id<'endpoint'>;
    state: 'testing' | 'passed' | 'held';
    claimed: number;
  }>(
    `select endpoint_id, state, claimed from canaries where operation_id = $1 order by endpoint_id limit ${MOST_ENDPOINTS}`,
    [operationId],
  );
  return {
    totals: {
      attempts: row.attempts,
      ...present({ firstAt: row.first_at, lastAt: row.last_at }),
    },
    details: {
      endpointCount: row.endpoint_count,
      endpoints: (row.endpoints ?? []).map(endpointResult),
      faults: row.faults ?? {},
      canaries: canaries.rows.map(({ endpoint_id: endpointId, state: verdict, claimed: items }) => ({
        endpointId,
        verdict,
        items,
      })),
    },
  };
}

function endpointResult(row: EndpointJson): EndpointResult {
  return {
    endpointId: row.id,
    handle: row.handle,
    versions: row.versions ?? [],
    counts: row.counts,
    attempts: row.attempts ?? 0,
    faults: row.faults ?? {},
    ...(row.first_ms === null ? {} : { firstAt: new Date(row.first_ms).toISOString() }),
    ...(row.last_ms === null ? {} : { lastAt: new Date(row.last_ms).toISOString() }),
  };
}

import type { OperationBreakdown } from '../../domain/operations/operation.ts';
import { present } from '../../domain/present.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { itemsOf } from './items-of.ts';

/** The most rows that are told apart; the rest is in the ledger. */
const MOST = 100;

type EndpointRow = { endpoint_id: Id<'endpoint'>; handle: string; endpoints: number } & Record<
  'items' | 'delivered' | 'failed' | 'unknown' | 'others',
  number
>;

type CauseRow = {
  state: ExecutionState;
  reason: string | null;
  fault_code: string | null;
  http_status: number | null;
  items: number;
};

/**
 * The results of an operation's items at each endpoint, and the causes of those that are not delivered: the largest
 * groups first. It reads every item, so it is asked for only when an operation closes, or while the operation is small.
 */
export async function operationBreakdown(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<OperationBreakdown> {
  const endpoints = await db.query<EndpointRow>(
    `select g.*, n.handle, count(*) over ()::int as endpoints from (
       select endpoint_id, count(*)::int as items, count(*) filter (where state = 'delivered')::int as delivered,
         count(*) filter (where state = 'failed')::int as failed, count(*) filter (where state = 'unknown')::int as unknown,
         count(*) filter (where state not in ('delivered', 'failed', 'unknown'))::int as others
       from ${itemsOf('$1')} e group by endpoint_id
     ) g join endpoints n on n.id = g.endpoint_id
     order by g.items desc, g.endpoint_id limit $2`,
    [operationId, MOST],
  );
  const causes = await db.query<CauseRow>(
    // A look-up an item, and not a join, for which the planner may read all attempts there are.
    `select e.state, e.reason, a.fault_code, a.http_status, count(*)::int as items
     from ${itemsOf('$1')} e left join lateral (
       select x.fault_code, x.http_status from attempts x
       where x.execution_id = e.id and x.number = e.attempts and x.outcome <> 'delivered' limit 1) a on true
     where e.state not in ('delivered', 'sending', 'superseded')
       and (e.reason is not null or e.attempts > 0)
     group by 1, 2, 3, 4 order by items desc, 1, 2, 3, 4 limit $2`,
    [operationId, MOST],
  );
  return {
    endpointCount: endpoints.rows[0]?.endpoints ?? 0,
    endpoints: endpoints.rows.map(({ endpoint_id: endpointId, endpoints: _all, ...tally }) => ({
      endpointId,
      ...tally,
    })),
    causes: causes.rows.map(({ fault_code, http_status, reason, state, items }) => ({
      state,
      ...present({ reason, faultCode: fault_code, httpStatus: http_status }),
      items,
    })),
  };
}

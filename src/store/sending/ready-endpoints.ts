import { OPENS_MS } from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { LIVE_LANE, type Queryable } from '../db/queryable.ts';
import { heldUntil } from '../policy/held-by-windows.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { WAITS_UNTIL } from './disabled-endpoints.ts';
import { hopsOf } from './queue-endpoints.ts';

/** An endpoint that has unsent work for one owner, and the facts that hold that work back. */
export interface ReadyEndpoint {
  endpointId: Id<'endpoint'>;
  tenantId: Id<'tenant'>;
  state: 'enabled' | 'disabled' | 'deleted';
  /**
   * Milliseconds from now until an item of it may be claimed, or, where it takes nothing, until the items that wait
   * there are to be ignored; at most 0 when that is now.
   */
  claimableInMs: number;
  /** It is the end of a freeze window that has to come for that. */
  windowHolds: boolean;
  /** When an operator last lifted the restrictions on it, by the database's clock. */
  liftedAtMs: number;
  paced: boolean;
  /** Its last attempts were not delivered. */
  missed: boolean;
  /** It has an open outage. */
  out: boolean;
  /** The revision of the endpoint that these facts are of. */
  revision: number;
  /** Events of one key go there in their order. */
  ordered: boolean;
  /** Total time limit of a request to it. */
  timeoutMs: number;
}

interface ReadyRow {
  endpoint_id: Id<'endpoint'>;
  tenant_id: Id<'tenant'>;
  state: ReadyEndpoint['state'];
  revision: number;
  claimable_in_ms: number;
  window_holds: boolean;
  lifted_at_ms: number;
  paced: boolean;
  missed: boolean;
  out: boolean;
  ordered: boolean;
  timeout_ms: number;
}

/** Where nobody knows until when something is held, it is looked at again after this time. */
const LOOK_AGAIN_MS = 60_000;

/** The time of something that is held, in milliseconds from now, or else of the next look at it. */
export function lookedAtInMs(inMs: number): number {
  return inMs === Number.POSITIVE_INFINITY ? LOOK_AGAIN_MS : inMs;
}

/**
 * Endpoints with unsent work of `workedBy`, each read once by hopping through the queue's index: the cost follows the
 * number of endpoints, never that of their items. `claimableInMs` is the latest of the first due time, the endpoint's
 * floor, the next time of its rate that is free, which a lane may book somewhat ahead, and for bulk work the end of a
 * freeze window.
 * With `only` it looks at these endpoints and no others.
 */
export async function readyEndpoints(
  db: Queryable,
  workedBy: Id<'operation'>,
  share?: { index: number; of: number },
  only?: readonly string[],
): Promise<ReadyEndpoint[]> {
  const { rows } = await db.query<ReadyRow>({
    // It is asked for at each wake of the live lane, and planning it would cost more than running it.
    name: only ? 'ready-endpoints-of' : 'ready-endpoints',
    text: `with recursive hop as (
      ${only ? 'select unnest($5::uuid[]) as endpoint_id' : hopsOf('$1')}
    )
    select n.id as endpoint_id, n.tenant_id, n.state, n.revision, n.ordered, v.timeout_ms,
      (v.rate_per_second is not null or v.max_concurrency is not null or p.window_size is not null or p.streak > 0)
        as paced, p.missed > 0 as missed, p.outage_id is not null as out,
      extract(epoch from p.lifted_at)::float8 * 1000 as lifted_at_ms,
      coalesce(n.state = 'enabled' and held.until > free.at, false) as window_holds,
      -- Before Postgres 17 a time without end cannot be subtracted, its seconds can.
      ((extract(epoch from case
        when n.state = 'enabled' then greatest(free.at, held.until)
        -- In the live lane many of the items wait for nobody: those that do wait are handed over at once.
        when $4 then now()
        else greatest(now(), (select ${WAITS_UNTIL} from operations o where o.id = $1)) end) - extract(epoch from now())) * 1000)::float8
        as claimable_in_ms
    from hop
    join endpoints n on n.id = hop.endpoint_id
    join endpoint_versions v on ${isCurrent('v', 'n')}
    join endpoint_pacing p on p.endpoint_id = n.id
    cross join lateral (select e.due_at from queue e
      where e.in_queue and e.worked_by = $1 and e.endpoint_id = hop.endpoint_id and e.state in ('queued', 'scheduled')
      order by e.due_at, e.execution_id limit 1) first
    cross join lateral (select greatest(first.due_at, p.floor_until, p.trial_until, case when v.rate_per_second is not null
      then p.arrival_at - case when $4 then ${OPENS_MS.live} else ${OPENS_MS.bulk} end * interval '1 millisecond' end) as at) free
    -- What a window holds in the live lane is little, and is looked past by the claim.
    cross join lateral (select case when not $4 and not (select o.single from operations o where o.id = $1)
      then ${heldUntil('n.tenant_id', 'n.id')} end as until) held
    -- Overdue work is anybody's: the worker whose share it is may be gone, or on its way out.
    where $3::int = 1 or abs(hashtext(n.id::text)) % $3 = $2 or first.due_at < now() - interval '2 seconds'`,
    values: [workedBy, share?.index ?? 0, share?.of ?? 1, workedBy === LIVE_LANE, ...(only ? [only] : [])],
  });
  return rows.map((row) => ({
    endpointId: row.endpoint_id,
    tenantId: row.tenant_id,
    state: row.state,
    claimableInMs: lookedAtInMs(row.claimable_in_ms),
    windowHolds: row.window_holds,
    liftedAtMs: row.lifted_at_ms,
    paced: row.paced,
    missed: row.missed,
    out: row.out,
    revision: row.revision,
    ordered: row.ordered,
    timeoutMs: row.timeout_ms,
  }));
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** How an endpoint does at present. */
export interface EndpointPresent {
  /** Requests at a time that it bears; no limit where absent. */
  window?: number;
  /** How long its newest answers took; absent where it has given none. */
  latency?: { p50Ms: number; p95Ms: number; answers: number };
}

/** Newest deliveries by whose answers it is measured. */
const MEASURED = 100;

interface PresentRow {
  window_size: number | null;
  p50: number | null;
  p95: number | null;
  answers: number;
}

/** Reads how an endpoint of a tenant does at present: a look at its newest deliveries, however many it has. */
export async function endpointPresent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<EndpointPresent> {
  const { rows } = await db.query<PresentRow>(
    `select p.window_size, l.p50, l.p95, l.answers from endpoints n join endpoint_pacing p on p.endpoint_id = n.id
     cross join lateral (
       select percentile_cont(0.5) within group (order by a.duration_ms) as p50,
         percentile_cont(0.95) within group (order by a.duration_ms) as p95, count(*)::int as answers
       from (select d.id from deliveries d where d.endpoint_id = n.id
         order by d.accepted_at desc, d.id desc limit ${MEASURED}) d
       cross join lateral (select e.id from executions e where e.delivery_id = d.id) e
       cross join lateral (select x.duration_ms from attempts x
         where x.execution_id = e.id and x.http_status is not null and not x.imported offset 0) a
     ) l where n.id = $2 and n.tenant_id = $1`,
    [tenantId, endpointId],
  );
  const [row] = rows;
  if (!row) return {};
  return {
    ...(row.window_size === null ? {} : { window: row.window_size }),
    ...(row.p50 === null || row.p95 === null
      ? {}
      : { latency: { p50Ms: row.p50, p95Ms: row.p95, answers: row.answers } }),
  };
}

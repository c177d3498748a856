import type { EndpointConfig } from '../../domain/endpoints/endpoint.ts';
import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import { type RiskCounts, riskCounts } from '../../domain/operations/plan-risks.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Span } from '../../domain/time/spans.ts';
import type { Queryable } from '../db/queryable.ts';
import { configFrom, type VersionRow } from '../tenancy/endpoint-versions.ts';
import { plannedRests } from './plan-rests.ts';

/** An endpoint of a plan: its part of it, and how it was and is. */
export interface PlanEndpoint {
  endpointId: Id<'endpoint'>;
  handle: string;
  state: EndpointState;
  items: number;
  sends: number;
  risks: RiskCounts;
  /** The versions that its deliveries were first sent with. */
  originalVersions: number[];
  plannedVersion: number;
  currentVersion: number;
  /** The first of the original versions. */
  was?: EndpointConfig;
  now: EndpointConfig;
  /** Requests at a time that it bears at present. */
  window?: number;
  /** How long the quickest of its newest answers took. */
  latencyMs?: number;
  /** When nothing of the plan is sent there, in milliseconds from now; they may overlap. */
  rests: Span[];
}

/** Newest deliveries of an endpoint by whose answers its latency is measured. */
const MEASURED = 20;
/** The quickest tenth: an endpoint that was overloaded answered slowly, and one that is well again does not. */
const QUICKEST = 0.1;

interface EndpointRow {
  endpoint_id: Id<'endpoint'>;
  handle: string;
  state: EndpointState;
  items: number;
  sends: number;
  risks: number[];
  original_versions: number[];
  version: number;
  current_version: number;
  window_size: number | null;
  latency_ms: number | null;
}

type ConfigRow = VersionRow & { endpoint_id: Id<'endpoint'>; version: number };

/** The endpoints of a plan, those with the most deliveries first. */
export async function planEndpoints(
  db: Queryable,
  operationId: Id<'operation'>,
  limit: number,
): Promise<PlanEndpoint[]> {
  const { rows } = await db.query<EndpointRow>(
    `select w.endpoint_id, w.items, w.sends, w.risks, w.original_versions, w.version, n.handle, n.state, n.current_version,
       p.window_size, (
         select percentile_disc(${QUICKEST}) within group (order by a.duration_ms) from (
           select d.id from deliveries d where d.endpoint_id = w.endpoint_id order by d.accepted_at desc, d.id desc limit ${MEASURED}
         ) d
         join execution_records e on e.delivery_id = d.id
         cross join lateral (select x.duration_ms from attempts x
           where x.execution_id = e.id and x.http_status is not null and not x.imported offset 0) a
       ) as latency_ms
     from plan_endpoints w join endpoints n on n.id = w.endpoint_id
     left join endpoint_pacing p on p.endpoint_id = n.id
     where w.operation_id = $1 and w.items > 0 order by w.items desc, w.endpoint_id limit $2`,
    [operationId, limit],
  );
  const wanted = rows.flatMap((row) =>
    [row.current_version, ...row.original_versions.slice(0, 1)].map((version) => ({
      id: row.endpoint_id,
      version,
    })),
  );
  const configs = await db.query<ConfigRow>(
    `select v.* from unnest($1::uuid[], $2::int[]) as w(id, version)
     cross join lateral (
       select x.* from endpoint_versions x where x.endpoint_id = w.id and x.version = w.version limit 1
     ) v`,
    [wanted.map(({ id }) => id), wanted.map(({ version }) => version)],
  );
  const found = new Map<string, EndpointConfig>(
    configs.rows.map((row) => [`${row.endpoint_id}/${row.version}`, configFrom(row)] as const),
  );
  const rests = await plannedRests(
    db,
    operationId,
    rows.map((row) => row.endpoint_id),
  );
  return rows.flatMap((row) => {
    const now = found.get(`${row.endpoint_id}/${row.current_version}`);
    if (!now) return [];
    return [
      {
        endpointId: row.endpoint_id,
        handle: row.handle,
        state: row.state,
        items: row.items,
        sends: row.sends,
        risks: riskCounts(row.risks),
        originalVersions: row.original_versions,
        plannedVersion: row.version,
        currentVersion: row.current_version,
        now,
        rests: rests.get(row.endpoint_id) ?? [],
        ...present({
          was: found.get(`${row.endpoint_id}/${row.original_versions[0]}`),
          window: row.window_size,
          latencyMs: row.latency_ms,
        }),
      },
    ];
  });
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Span } from '../../domain/time/spans.ts';
import type { Queryable } from '../db/queryable.ts';

interface RestRow {
  endpoint_id: Id<'endpoint'>;
  from_ms: number;
  to_ms: number;
}

/**
 * When nothing of an operation is sent to endpoints, as far as it is known, in milliseconds from now: in freeze windows,
 * before the time that was asked for, and until the time that an endpoint asked for or is left alone. They may overlap;
 * the last window has no end where nobody knows the next ones.
 */
export async function plannedRests(
  db: Queryable,
  operationId: Id<'operation'>,
  endpointIds: Id<'endpoint'>[],
): Promise<Map<Id<'endpoint'>, Span[]>> {
  const { rows } = await db.query<RestRow>(
    // Subtracted as numbers: an endless time minus another is refused by older versions of Postgres.
    `select n.id as endpoint_id, extract(epoch from r.from_at)::float8 * 1000 - c.now_ms as from_ms,
       extract(epoch from r.to_at)::float8 * 1000 - c.now_ms as to_ms
     from operations o join endpoints n on n.id = any($2::uuid[])
     cross join lateral (select extract(epoch from now())::float8 * 1000 as now_ms) c
     cross join lateral (
       select lower(held) as from_at, upper(held) as to_at from unnest(freeze_times(n.tenant_id, n.id)) held
       where upper(held) > now() and not o.single
       union all select now(), o.not_before where o.not_before > now()
       union all select now(), p.floor_until from endpoint_pacing p where p.endpoint_id = n.id and p.floor_until > now()
     ) r
     where o.id = $1`,
    [operationId, endpointIds],
  );
  const rests = new Map(endpointIds.map((id): [Id<'endpoint'>, Span[]] => [id, []]));
  for (const { endpoint_id: id, from_ms: fromMs, to_ms: toMs } of rows) rests.get(id)?.push({ fromMs, toMs });
  return rests;
}

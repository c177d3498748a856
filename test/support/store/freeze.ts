import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Pool } from '../../../src/store/db/pool.ts';

/** A stretch of time that a test freezes, in seconds from now; of all endpoints where none is named. */
export interface Freeze {
  fromSeconds?: number;
  toSeconds?: number;
  endpointId?: Id<'endpoint'>;
}

/** Freezes a tenant for a time, by the span itself: windows have whole minutes. Returns when it ends. */
export async function freeze(
  pool: Pool,
  tenantId: Id<'tenant'>,
  { fromSeconds = -1, toSeconds = 3_600, endpointId }: Freeze = {},
): Promise<Date> {
  const { rows } = await pool.query<{ to_at: Date }>(
    `insert into freeze_spans (tenant_id, endpoint_id, from_at, to_at)
     select $1, $2, date_trunc('milliseconds', clock_timestamp()) + $3::float8 * interval '1 second',
       date_trunc('milliseconds', clock_timestamp()) + $4::float8 * interval '1 second' returning to_at`,
    [tenantId, endpointId ?? null, fromSeconds, toSeconds],
  );
  const [row] = rows;
  if (!row) throw new Error('the span was not written');
  return row.to_at;
}

/** Lets so many seconds of the spans of a tenant have passed. */
export async function passSpans(pool: Pool, tenantId: Id<'tenant'>, seconds: number): Promise<void> {
  await pool.query(
    `update freeze_spans set from_at = from_at - $2::float8 * interval '1 second',
       to_at = to_at - $2::float8 * interval '1 second' where tenant_id = $1`,
    [tenantId, seconds],
  );
}

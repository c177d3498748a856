import type { Pool } from '../src/store/db/pool.ts';

/**
 * Rows of a table in which a retry has to find its part. Row `n` of a tenant was accepted `n` steps after the
 * beginning. Within the first `5 × part` rows, `part` of one endpoint failed in one window, and `part` of the others
 * failed with one code, scattered; the rows that follow only make the table larger. Everywhere some fail otherwise; the
 * rest is delivered.
 */
export interface OutageTable {
  tenantId: string;
  /** The first is the one with the window; at least two. */
  endpointIds: string[];
  part: number;
  /** `state`: the scattered part has the only failures of the tenant. */
  kind: 'outage' | 'state';
}

/** The code of the scattered part. */
export const SCATTERED_CODE = 'connection_refused';

/** Rows that are loaded by one statement. */
const CHUNK = 100_000;

/** When a row was accepted. */
const ACCEPTED_AT = `timestamptz '2026-01-01T00:00:00Z' + n * interval '100 milliseconds'`;

/** From and to, as the API takes them, of the window in which the first endpoint failed. */
export function outageWindow({ part }: OutageTable): { from: string; to: string } {
  const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 100).toISOString();
  return { from: at(2 * part), to: at(4 * part) };
}

/**
 * Loads the rows `from ≤ n < to` set-based: events, small payloads, deliveries and executions, which is what selection
 * reads and its inserts meet; no attempts.
 */
export async function loadOutage(
  pool: Pool,
  table: OutageTable,
  { from, to, at }: { from: number; to: number; at(done: number): void },
): Promise<void> {
  const db = await pool.connect();
  try {
    await db.query('set synchronous_commit = off');
    for (let n = from; n < to; n += CHUNK) {
      await db.query(LOAD, [
        table.tenantId,
        table.endpointIds,
        n,
        Math.min(to, n + CHUNK),
        table.part,
        table.kind,
      ]);
      at(Math.min(to, n + CHUNK) - from);
    }
  } finally {
    await db.query('reset synchronous_commit');
    db.release();
  }
}

const LOAD = `with kinds as materialized (
    select n, ${ACCEPTED_AT} as at, uuidv7() as event_id, uuidv7() as delivery_id,
      case
        when $6 = 'state' then case when n % 5 = 0 and n < 5 * $5::int then 'scattered' else 'delivered' end
        when n % 10 in (0, 2) and n < 5 * $5::int then 'scattered'
        when n % 2 = 1 and n >= 2 * $5::int and n < 4 * $5::int then 'window'
        when n % 20 = 4 then 'timeout'
        when n % 20 = 8 and (n < 2 * $5::int or n >= 4 * $5::int) then 'before or after'
        else 'delivered' end as kind
    from generate_series($3::int, $4::int - 1) n
  ), seeds as materialized (
    select *, case when kind = 'delivered' then 'delivered' else 'failed' end as state,
      case kind when 'scattered' then '${SCATTERED_CODE}' when 'timeout' then 'timeout'
        when 'delivered' then null else 'http_5xx' end as fault_code,
      case when kind in ('window', 'before or after') then 1 else 2 + n % (cardinality($2::uuid[]) - 1) end as endpoint
    from kinds
  ), counted as (
    update tenant_counters set last_event_number = greatest(last_event_number, $4::int) where tenant_id = $1
  ), event as (
    insert into events (id, tenant_id, number, type, accepted_at, ingest_call_id, payload_bytes)
    select event_id, $1, n + 1, 'bench', at, $1, 100 from seeds
  ), payload as (
    insert into payloads (event_id, tenant_id, body) select event_id, $1, rpad('{"n":' || n || '}', 100) from seeds
  ), delivery as (
    insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
      original_version, attempts, last_attempt_at, fault_code, http_status)
    select delivery_id, $1, event_id, ($2::uuid[])[endpoint], state, at, at, 100, 1, 1, at, fault_code,
      case when state = 'delivered' then 200 when fault_code = 'http_5xx' then 500 end
    from seeds
  )
  insert into execution_records (tenant_id, delivery_id, endpoint_id, generation, outcome, reason, due_at, give_up_at,
    attempts, lost_attempts, may_have_arrived, created_at, finished_at)
  select $1, delivery_id, ($2::uuid[])[endpoint], 1, state, case when state = 'failed' then 'exhausted' end, at,
    at + interval '1 day', 1, 0, false, at, at
  from seeds`;

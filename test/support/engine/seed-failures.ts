import type { Pool } from '../../../src/store/db/pool.ts';

/** The failures to seed. Ids are uuids. */
export interface Failures {
  tenantId: string;
  endpointIds: string[];
  count: number;
  bodyBytes?: number;
  faultCode?: string;
  /** Endpoints whose events have keys and go in their order, with the number of keys of each. */
  ordered?: Record<string, number>;
  /** Leaves the planner's statistics as they are. */
  unanalyzed?: true;
}

/**
 * Loads failed deliveries set-based, as if each had been dispatched once and failed: for tests and benchmarks of
 * recoveries, at sizes that nobody wants to wait for. Events are spread over the endpoints in turn.
 */
export async function seedFailures(pool: Pool, failures: Failures): Promise<void> {
  const { tenantId, endpointIds, count, bodyBytes = 100, faultCode = 'http_5xx', ordered = {} } = failures;
  await pool.query(
    `with counter as (
      update tenant_counters set last_event_number = last_event_number + $3 where tenant_id = $1
      returning last_event_number - $3 as before
    ), seeds as materialized (
      select n, uuidv7() as event_id, uuidv7() as delivery_id, uuidv7() as execution_id,
        ($2::uuid[])[1 + n % cardinality($2::uuid[])] as endpoint_id, now() - interval '1 hour' + n * interval '1 microsecond' as at
      from generate_series(0, $3::int - 1) n
    ), keyed as (
      select s.*, 'key-' || s.n / cardinality($2::uuid[]) % o.keys as key from seeds s
      left join unnest($6::uuid[], $7::int[]) as o(endpoint_id, keys) using (endpoint_id)
    ), payload as (
      insert into payloads (event_id, tenant_id, body)
      select event_id, $1, '{"n":' || n || ',"fill":"' || repeat('x', $4) || '"}' from seeds
    ), event as (
      insert into events (id, tenant_id, number, type, key, accepted_at, ingest_call_id, payload_bytes)
      select event_id, $1, counter.before + n + 1, 'test.seeded', key, at, $1, $4 + 20 from keyed, counter
    ), delivery as (
      insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        original_version, attempts, last_attempt_at, fault_code, http_status, order_key, order_number)
      select delivery_id, $1, event_id, endpoint_id, 'failed', at, at, $4 + 20, 1, 1, at, $5, 500, key,
        case when key is not null then counter.before + n + 1 end from keyed, counter
    ), execution as (
      ${(await isSplit(pool)) ? INTO_RECORDS : INTO_EXECUTIONS} from seeds
    )
    insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome, fault_code,
      http_status)
    select execution_id, 1, $1, 1, at, 5, 'retryable', $5, 500 from seeds`,
    [tenantId, endpointIds, count, bodyBytes, faultCode, Object.keys(ordered), Object.values(ordered)],
  );
  if (failures.unanalyzed) return;
  await pool.query('analyze events, deliveries, payloads, attempts');
  // Versions that a deploy begins with have neither.
  await pool.query(`do $$ begin
    if to_regclass('undelivered') is not null then analyze undelivered; end if;
    if to_regclass('queue') is not null then analyze execution_records, queue; end if;
  end $$`);
}

const INTO_RECORDS = `insert into execution_records (id, tenant_id, delivery_id, endpoint_id, generation, outcome, reason,
        due_at, give_up_at, attempts, lost_attempts, may_have_arrived, created_at, finished_at)
      select execution_id, $1, delivery_id, endpoint_id, 1, 'failed', 'exhausted', at, at + interval '1 day', 1, 0, false, at, at`;

/** The version before records and queue, which a deploy begins with, has one table. */
const INTO_EXECUTIONS = `insert into executions (id, tenant_id, delivery_id, endpoint_id, state, reason, due_at, give_up_at,
        attempts, created_at, finished_at)
      select execution_id, $1, delivery_id, endpoint_id, 'failed', 'exhausted', at, at + interval '1 day', 1, at, at`;

async function isSplit(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ split: boolean }>(`select to_regclass('queue') is not null as split`);
  return rows[0]?.split ?? false;
}

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { DeliveryFilter } from '../../../src/domain/operations/selection.ts';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import { isOpen } from '../../../src/domain/sending/execution-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { TimeBound } from '../../../src/domain/time/instant.ts';
import type { Pool } from '../../../src/store/db/pool.ts';
import { idOf } from '../partitions/id-of.ts';
import { anyId } from '../store/any-id.ts';

/** One delivery in all that a filter can ask of it; times are whole seconds after `SEED_EPOCH`. */
export type Varied = {
  endpointId: string;
  state: DeliveryState;
  type: string;
  source: string | null;
  key: string | null;
  batch: string | null;
  callId: string;
  operationId: string | null;
  faultCode: string | null;
  httpStatus: number | null;
  acceptedAt: number;
  attemptAt: number | null;
  /** For how long its newest execution has been there, in seconds. */
  age: number;
};

/** When the seeded time begins. */
export const SEED_EPOCH = Date.parse('2026-03-01T00:00:00Z');

const CALLS = [randomUUID(), randomUUID()];
const OPERATIONS = [randomUUID(), randomUUID()];
const TYPES = ['a', 'b'];
const TEXTS = ['x', 'y'];
const FAULTS = ['http_5xx', 'timeout'];
const STATUSES = [404, 500];
const STATES: DeliveryState[] = ['pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored'];
const TIMES = { min: 0, max: 4 };
const AGES = [10, 1_000];

/** Deliveries at some of these endpoints, few values each so that filters meet them. */
export function anyVaried(endpointIds: string[]): fc.Arbitrary<Varied> {
  const shared = {
    endpointId: fc.constantFrom(...endpointIds),
    type: fc.constantFrom(...TYPES),
    source: fc.constantFrom(...TEXTS, null),
    key: fc.constantFrom(...TEXTS, null),
    batch: fc.constantFrom(...TEXTS, null),
    callId: fc.constantFrom(...CALLS),
    operationId: fc.constantFrom(...OPERATIONS, null),
    acceptedAt: fc.nat(TIMES),
    age: fc.constantFrom(...AGES),
  };
  return fc.oneof(
    fc.record({
      ...shared,
      state: fc.constantFrom<DeliveryState>('failed', 'failed', 'delivered', 'pending', 'unknown', 'ignored'),
      attemptAt: fc.nat(TIMES),
      faultCode: fc.constantFrom(...FAULTS, null),
      httpStatus: fc.constantFrom(...STATUSES, null),
    }),
    fc.record({
      ...shared,
      state: fc.constantFrom<DeliveryState>('pending', 'failed', 'cancelled', 'ignored'),
      attemptAt: fc.constant(null),
      faultCode: fc.constant(null),
      httpStatus: fc.constant(null),
    }),
  );
}

/** Filters over the same few values, empty arrays among them. */
export function anyFilter(endpointIds: string[]): fc.Arbitrary<DeliveryFilter> {
  const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 0 });
  const bound: fc.Arbitrary<TimeBound> = fc.record({
    at: fc.nat(TIMES).map((second) => new Date(SEED_EPOCH + second * 1_000).toISOString()),
    inclusive: fc.boolean(),
  });
  const members = {
    state: some(...STATES),
    endpointIds: some(...endpointIds),
    eventTypes: some(...TYPES),
    sources: some(...TEXTS),
    faultCodes: some(...FAULTS),
    httpStatus: some(...STATUSES),
    ingestionBatchIds: some(...TEXTS),
    dispatchBatchIds: some(...CALLS, ...OPERATIONS),
    key: fc.constantFrom(...TEXTS),
    from: bound,
    to: bound,
    lastAttemptBefore: bound,
    lastAttemptAfter: bound,
    pendingLongerThanMs: fc.constantFrom(100_000, 5_000),
  };
  // A few members at a time: nearly nothing would match all of them.
  return fc
    .tuple(fc.subarray(Object.keys(members), { maxLength: 3 }), fc.record(members))
    .map(([names, all]) => Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))));
}

/** The meaning of a filter, said without SQL. */
export function matches(delivery: Varied, filter: DeliveryFilter): boolean {
  const among = <T>(list: readonly T[] | undefined, value: T | null) =>
    list === undefined || (value !== null && list.includes(value));
  const open = delivery.state === 'pending' || delivery.state === 'unknown';
  return (
    (filter.state ?? ['failed']).includes(delivery.state) &&
    among(filter.endpointIds, delivery.endpointId) &&
    among(filter.eventTypes, delivery.type) &&
    among(filter.sources, delivery.source) &&
    among(filter.faultCodes, delivery.faultCode) &&
    among(filter.httpStatus, delivery.httpStatus) &&
    among(filter.ingestionBatchIds, delivery.batch) &&
    (among(filter.dispatchBatchIds, delivery.callId) ||
      among(filter.dispatchBatchIds, delivery.operationId)) &&
    (filter.key === undefined || delivery.key === filter.key) &&
    isAfter(delivery.acceptedAt, filter.from) &&
    isBefore(delivery.acceptedAt, filter.to) &&
    isBefore(delivery.attemptAt, filter.lastAttemptBefore) &&
    isAfter(delivery.attemptAt, filter.lastAttemptAfter) &&
    (filter.pendingLongerThanMs === undefined || (open && delivery.age * 1_000 > filter.pendingLongerThanMs))
  );
}

function isAfter(second: number | null, bound: TimeBound | undefined): boolean {
  if (!bound) return true;
  if (second === null) return false;
  const at = SEED_EPOCH + second * 1_000;
  return at > Date.parse(bound.at) || (bound.inclusive && at === Date.parse(bound.at));
}

function isBefore(second: number | null, bound: TimeBound | undefined): boolean {
  if (!bound) return true;
  if (second === null) return false;
  const at = SEED_EPOCH + second * 1_000;
  return at < Date.parse(bound.at) || (bound.inclusive && at === Date.parse(bound.at));
}

/** Loads such deliveries, each with one execution; returns their ids in order. */
export async function seedVaried(
  pool: Pool,
  tenantId: string,
  deliveries: readonly Varied[],
): Promise<Id<'delivery'>[]> {
  const seeds = deliveries.map((delivery, n) => {
    const execution = delivery.state === 'pending' ? 'scheduled' : delivery.state;
    return {
      n,
      event_id: idOf(),
      delivery_id: randomUUID(),
      endpoint_id: delivery.endpointId,
      state: delivery.state,
      execution,
      open: isOpen(execution),
      type: delivery.type,
      source: delivery.source,
      key: delivery.key,
      batch: delivery.batch,
      call_id: delivery.callId,
      operation_id: delivery.operationId,
      fault_code: delivery.faultCode,
      http_status: delivery.httpStatus,
      accepted_at: new Date(SEED_EPOCH + delivery.acceptedAt * 1_000),
      attempt_at: delivery.attemptAt === null ? null : new Date(SEED_EPOCH + delivery.attemptAt * 1_000),
      attempts: delivery.attemptAt === null ? 0 : 1,
      age: delivery.age,
      // Microseconds that no answer shows.
      micros: (n * 137) % 1_000,
    };
  });
  await pool.query(
    `with counter as (
      update tenant_counters set last_event_number = last_event_number + jsonb_array_length($2) where tenant_id = $1
      returning last_event_number - jsonb_array_length($2) as before
    ), s as materialized (
      select * from jsonb_to_recordset($2) as s(n int, event_id uuid, delivery_id uuid, endpoint_id uuid, state text,
        execution text, open boolean, type text, source text, key text, batch text, call_id uuid, operation_id uuid,
        fault_code text, http_status int, accepted_at timestamptz, attempt_at timestamptz, attempts int, age int, micros int)
    ), payload as (
      insert into payloads (event_id, tenant_id, body) select event_id, $1, '{}' from s
    ), event as (
      insert into events (id, tenant_id, number, type, source, key, ingestion_batch_id, accepted_at, ingest_call_id,
        payload_bytes)
      select event_id, $1, before + n + 1, type, source, key, batch, accepted_at + micros * interval '1 microsecond',
        call_id, 2 from s, counter
    ), delivery as (
      insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        attempts, last_attempt_at, fault_code, http_status)
      select delivery_id, $1, event_id, endpoint_id, state, accepted_at, accepted_at + micros * interval '1 microsecond', 2,
        attempts, attempt_at + micros * interval '1 microsecond', fault_code, http_status from s
    )
    insert into executions (tenant_id, delivery_id, endpoint_id, operation_id, state, reason, due_at, give_up_at,
      attempts, created_at, finished_at)
    select $1, delivery_id, endpoint_id, operation_id, execution,
      case when execution in ('ignored', 'cancelled') then 'seeded' end, now() + interval '1 hour',
      now() + interval '1 day', attempts, now() - age * interval '1 second', case when not open then now() end
    from s`,
    [tenantId, JSON.stringify(seeds)],
  );
  return seeds.map((seed) => anyId(seed.delivery_id));
}

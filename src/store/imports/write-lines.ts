import type {
  AddedAttempts,
  IdentifiedAttempt,
  ImportedDelivery,
  ImportedEvent,
  LineFate,
} from '../../domain/imports/decide-lines.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Transaction } from '../db/queryable.ts';

/** What the rows of a batch have in common. */
export interface ImportBatch {
  tenantId: Id<'tenant'>;
  importId: Id<'import'>;
  ingestionBatchId: string;
  acceptedAt: string;
}

const EXCERPT_BYTES = 1_024;

/** Writes events with their payloads and identities; the next numbers of the tenant are theirs. */
export async function insertImportedEvents(
  tx: Transaction,
  { tenantId, importId, ingestionBatchId, acceptedAt }: ImportBatch,
  events: readonly ImportedEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const numbered = await tx.query<{ last_event_number: number }>({
    name: 'number-imported-events',
    text: `update tenant_counters set last_event_number = last_event_number + $2 where tenant_id = $1
     returning last_event_number`,
    values: [tenantId, events.length],
  });
  const firstNumber = onlyRow(numbered).last_event_number - events.length + 1;
  await tx.query({
    name: 'insert-imported-events',
    text: `with told as materialized (
      select * from unnest($6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::int[],
        $13::text[], $14::text[]) with ordinality
        as u(id, external_id, type, source, key, occurred_at, payload_bytes, body, members, n)
    ), event as (
      insert into events (id, tenant_id, number, external_id, type, source, key, occurred_at, accepted_at,
        ingestion_batch_id, ingest_call_id, payload_bytes, import_id)
      select u.id, $1, $2::bigint + u.n - 1, u.external_id, u.type, u.source, u.key, u.occurred_at, $3::timestamptz,
        $4, $5, u.payload_bytes, $5 from told u
    ), payload as (
      insert into payloads (event_id, tenant_id, body, import_members)
      select u.id, $1, u.body, u.members from told u
    ), batch as (
      insert into import_batches (tenant_id, accepted_at, import_id, events)
      select $1, $3::timestamptz, $5, count(*) from told
    )
    insert into event_identities (tenant_id, external_id, type, source, event_id)
    select $1, u.external_id, u.type, coalesce(u.source, ''), u.id from told u`,
    values: [
      tenantId,
      firstNumber,
      acceptedAt,
      ingestionBatchId,
      importId,
      events.map(({ eventId }) => eventId),
      events.map(({ record }) => record.externalId),
      events.map(({ record }) => record.type),
      events.map(({ record }) => record.source ?? null),
      events.map(({ record }) => record.key ?? null),
      events.map(({ record }) => record.occurredAt ?? null),
      events.map(({ record }) => Buffer.byteLength(record.body)),
      events.map(({ record }) => record.body),
      events.map(({ record }) => record.members ?? null),
    ],
  });
}

/** Writes deliveries that have ended, each with the execution that stands for what the other system did. */
export async function insertImportedDeliveries(
  tx: Transaction,
  { tenantId, importId, acceptedAt }: ImportBatch,
  deliveries: readonly ImportedDelivery[],
): Promise<void> {
  if (deliveries.length === 0) return;
  const lasts = deliveries.map(({ attempts }) => attempts.at(-1));
  await tx.query({
    text: `with told as materialized (
      select u.*, (select v.payload_bytes from events v where v.id = u.event_id limit 1) as payload_bytes
      from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::boolean[], $10::text[], $11::int[],
        $12::timestamptz[], $13::text[], $14::int[])
        as u(id, execution_id, event_id, endpoint_id, state, may_have_arrived, webhook_id, attempts, last_attempt_at,
          fault_code, http_status)
    ), delivery as (
      insert into deliveries (id, tenant_id, event_id, endpoint_id, state, state_changed_at, accepted_at, payload_bytes,
        attempts, last_attempt_at, fault_code, http_status, import_id, webhook_id)
      select u.id, $1, u.event_id, u.endpoint_id, u.state, $3::timestamptz, $3::timestamptz, u.payload_bytes, u.attempts,
        u.last_attempt_at, u.fault_code, u.http_status, $2, u.webhook_id from told u
    )
    insert into execution_records (id, tenant_id, delivery_id, endpoint_id, generation, outcome, reason, due_at, give_up_at,
      attempts, lost_attempts, may_have_arrived, created_at, finished_at)
    select u.execution_id, $1, u.id, u.endpoint_id, 1, u.state, 'imported', $3::timestamptz, $3::timestamptz, u.attempts, 0,
      u.may_have_arrived, $3::timestamptz, $3::timestamptz from told u`,
    values: [
      tenantId,
      importId,
      acceptedAt,
      deliveries.map(({ deliveryId }) => deliveryId),
      deliveries.map(({ executionId }) => executionId),
      deliveries.map(({ eventId }) => eventId),
      deliveries.map(({ endpointId }) => endpointId),
      deliveries.map(({ state }) => state),
      deliveries.map(({ mayHaveArrived }) => mayHaveArrived),
      deliveries.map(({ webhookId }) => webhookId ?? null),
      deliveries.map(({ attempts }) => attempts.length),
      lasts.map((last) => last?.at ?? null),
      lasts.map((last) => last?.faultCode ?? null),
      lasts.map((last) => last?.httpStatus ?? null),
    ],
  });
  await insertAttempts(
    tx,
    tenantId,
    deliveries.flatMap(({ executionId, attempts }) =>
      numbered(executionId, attempts, { before: 0, arrived: false }),
    ),
  );
}

/**
 * Adds attempts, and doubt, to deliveries that were imported before and are locked; one that was delivered there is
 * delivered. The last attempt by its time is the one that the delivery shows.
 */
export async function addAttempts(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  added: readonly AddedAttempts[],
): Promise<void> {
  if (added.length === 0) return;
  const { rows } = await tx.query<{ id: Id<'execution'>; attempts: number; arrived: boolean | null }>({
    text: `update execution_records e set attempts = e.attempts + u.added, may_have_arrived = e.may_have_arrived or u.doubt,
       outcome = case when u.delivered then 'delivered' else e.outcome end
     from unnest($1::uuid[], $2::int[], $3::boolean[], $4::boolean[]) as u(id, added, doubt, delivered)
     where e.id = u.id and e.outcome in ('failed', 'delivered')
     returning e.id, e.attempts,
       (select bool_or(a.outcome = 'ambiguous') from attempts a where a.execution_id = e.id) as arrived`,
    values: [
      added.map(({ executionId }) => executionId),
      added.map(({ attempts }) => attempts.length),
      added.map(({ mayHaveArrived }) => mayHaveArrived),
      added.map(({ delivered }) => delivered),
    ],
  });
  if (rows.length !== added.length)
    throw new Error('an imported execution is not as it was when it was locked');
  const grown = new Map(rows.map((row) => [row.id, row]));
  await insertAttempts(
    tx,
    tenantId,
    added.flatMap(({ executionId, attempts }) => {
      const row = grown.get(executionId);
      return numbered(executionId, attempts, {
        before: (row?.attempts ?? 0) - attempts.length,
        arrived: row?.arrived ?? false,
      });
    }),
  );
  const lasts = added.map(({ attempts }) => attempts.at(-1));
  await tx.query({
    text: `update deliveries d set attempts = d.attempts + u.added,
       fault_code = case when d.last_attempt_at > u.last_at then d.fault_code else u.fault_code end,
       http_status = case when d.last_attempt_at > u.last_at then d.http_status else u.http_status end,
       last_attempt_at = greatest(d.last_attempt_at, u.last_at),
       state = case when u.delivered then 'delivered' else d.state end,
       state_changed_at = case when u.delivered and d.state <> 'delivered' then clock_timestamp()
         else d.state_changed_at end
     from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::int[], $6::boolean[])
       as u(id, added, last_at, fault_code, http_status, delivered)
     where d.id = u.id and u.added > 0`,
    values: [
      added.map(({ deliveryId }) => deliveryId),
      added.map(({ attempts }) => attempts.length),
      lasts.map((last) => last?.at ?? null),
      lasts.map((last) => last?.faultCode ?? null),
      lasts.map((last) => last?.httpStatus ?? null),
      added.map(({ delivered }) => delivered),
    ],
  });
}

type NewAttempt = IdentifiedAttempt & { executionId: Id<'execution'>; number: number; resend: boolean };

/** Numbers attempts behind those before them; one behind an attempt that may have arrived is a resend. */
function numbered(
  executionId: Id<'execution'>,
  attempts: readonly IdentifiedAttempt[],
  { before, arrived }: { before: number; arrived: boolean },
): NewAttempt[] {
  let resend = arrived;
  return attempts.map((attempt, n) => {
    const row = { ...attempt, executionId, number: before + n + 1, resend };
    resend ||= attempt.outcome === 'ambiguous';
    return row;
  });
}

async function insertAttempts(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  attempts: readonly NewAttempt[],
): Promise<void> {
  if (attempts.length === 0) return;
  await tx.query({
    name: 'insert-imported-attempts',
    text: `insert into attempts (execution_id, number, id, tenant_id, started_at, duration_ms, outcome, fault_code,
       http_status, resend, response_excerpt, imported)
     select u.execution_id, u.number, u.id, $1, u.started_at, u.duration_ms, u.outcome, u.fault_code, u.http_status,
       u.resend, u.excerpt, true
     from unnest($2::uuid[], $3::int[], $4::uuid[], $5::timestamptz[], $6::int[], $7::text[], $8::text[], $9::int[],
       $10::boolean[], $11::bytea[])
       as u(execution_id, number, id, started_at, duration_ms, outcome, fault_code, http_status, resend, excerpt)`,
    values: [
      tenantId,
      attempts.map(({ executionId }) => executionId),
      attempts.map(({ number }) => number),
      attempts.map(({ id }) => id),
      attempts.map(({ at }) => at),
      attempts.map(({ durationMs }) => durationMs),
      attempts.map(({ outcome }) => outcome),
      attempts.map(({ faultCode }) => faultCode ?? null),
      attempts.map(({ httpStatus }) => httpStatus ?? null),
      attempts.map(({ resend }) => resend),
      attempts.map(({ excerpt }) =>
        excerpt === undefined
          ? null
          : Buffer.from(excerpt.slice(0, EXCERPT_BYTES)).subarray(0, EXCERPT_BYTES),
      ),
    ],
  });
}

/** Writes the fate of each line into the report. */
export async function insertFates(
  tx: Transaction,
  importId: Id<'import'>,
  fates: readonly LineFate[],
): Promise<void> {
  if (fates.length === 0) return;
  await tx.query({
    name: 'insert-import-lines',
    text: `insert into import_lines (import_id, line, result, reason, member, theirs, event_id, delivery_id)
     select $1, u.* from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[]) as u`,
    values: [
      importId,
      fates.map(({ line }) => line),
      fates.map(({ result }) => result),
      fates.map((fate) => (fate.result === 'accepted' ? null : fate.reason)),
      fates.map(({ member }) => member ?? null),
      fates.map(({ theirs }) => theirs ?? null),
      fates.map(({ eventId }) => eventId ?? null),
      fates.map(({ deliveryId }) => deliveryId ?? null),
    ],
  });
}

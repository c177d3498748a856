import { type ExecutionState, isOpen } from '../../../src/domain/sending/execution-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Pool } from '../../../src/store/db/pool.ts';
import { idOf } from '../partitions/id-of.ts';
import { anyId } from '../store/any-id.ts';

/** One execution of a seeded delivery; each is the child of the one before, but for one that gave its slot back. */
export interface SeededRun {
  state: ExecutionState;
  reason?: string;
  /** How long ago it ended; an hour where left out. */
  endedAgoMs?: number;
  attempts?: { outcome: 'delivered' | 'retryable' | 'permanent' | 'ambiguous'; httpStatus?: number }[];
}

/** A delivery with a history, as if it had been made by the engine. Ids are uuids. */
export interface SeededFile {
  tenantId: string;
  endpointId: string;
  runs: SeededRun[];
  externalId?: string;
  source?: string;
  type?: string;
  payloadKept?: boolean;
  duplicateOf?: string;
}

const REASONS: Partial<Record<ExecutionState, string>> = {
  ignored: 'endpoint_disabled',
  cancelled: 'operation_cancelled',
  failed: 'exhausted',
};

/** Writes a delivery with its executions in these states, and returns the ids. */
export async function seedFile(
  pool: Pool,
  file: SeededFile,
): Promise<{ eventId: Id<'event'>; deliveryId: Id<'delivery'>; executionIds: Id<'execution'>[] }> {
  const [eventId, deliveryId] = [idOf(), idOf()];
  await pool.query(
    `with n as (
      update tenant_counters set last_event_number = last_event_number + 1 where tenant_id = $2 returning last_event_number
    )
    insert into events (id, tenant_id, number, external_id, duplicate_of, type, source, accepted_at, ingest_call_id,
      payload_bytes)
    select $1, $2, n.last_event_number, $3, $4, $5, $6, now() - interval '2 hours', $1, 7 from n`,
    [
      eventId,
      file.tenantId,
      file.externalId ?? null,
      file.duplicateOf ?? null,
      file.type ?? 'test.seeded',
      file.source ?? null,
    ],
  );
  if (file.payloadKept ?? true)
    await pool.query(`insert into payloads (event_id, tenant_id, body) values ($1, $2, '{"n":1}')`, [
      eventId,
      file.tenantId,
    ]);
  await pool.query(
    `insert into deliveries (id, tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes)
     values ($1, $2, $3, $4, 'pending', now() - interval '2 hours', 7)`,
    [deliveryId, file.tenantId, eventId, file.endpointId],
  );
  const executionIds: Id<'execution'>[] = [];
  let parent: Id<'execution'> | undefined;
  for (const run of file.runs) {
    const made: { rows: { id: Id<'execution'>; keeps_slot: boolean }[] } = await pool.query(
      `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, reason, due_at, give_up_at,
         attempts, created_at, finished_at)
       values ($1, $2, $3, $4, $5, $6, now() + interval '1 day', now() + interval '2 days', $7,
         now() - interval '2 hours', case when $8 then now() - $9::float8 * interval '1 millisecond' end)
       returning id, keeps_slot`,
      [
        file.tenantId,
        deliveryId,
        file.endpointId,
        parent ?? null,
        run.state,
        run.reason ?? REASONS[run.state] ?? null,
        run.attempts?.length ?? 0,
        !isOpen(run.state),
        run.endedAgoMs ?? 3_600_000,
      ],
    );
    const [row] = made.rows;
    if (!row) throw new Error('an execution was not written');
    executionIds.push(row.id);
    for (const [index, { outcome, httpStatus }] of (run.attempts ?? []).entries())
      await pool.query(
        `insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome,
           fault_code, http_status)
         values ($1, $2, $3, 1, now() - interval '90 minutes', 5, $4, $5, $6)`,
        [
          row.id,
          index + 1,
          file.tenantId,
          outcome,
          outcome === 'delivered' ? null : httpStatus ? 'http_5xx' : 'timeout',
          httpStatus ?? null,
        ],
      );
    if (row.keeps_slot || parent === undefined) parent = row.id;
  }
  const attempts = file.runs.reduce((sum, run) => sum + (run.attempts?.length ?? 0), 0);
  await pool.query(
    `update deliveries set attempts = $2, last_attempt_at = case when $2 > 0 then now() end, state = folded_state(id),
       state_changed_at = now() - interval '1 hour'
     where id = $1`,
    [deliveryId, attempts],
  );
  return { eventId: anyId(eventId), deliveryId: anyId(deliveryId), executionIds };
}

import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../../store/db/parameters.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { filterSql } from '../../store/selection/filter-conditions.ts';
import { inOrder } from '../../store/selection/read-from.ts';

/** A delivery with its event, its batches and its last outcome. */
export interface Dispatch {
  deliveryId: Id<'delivery'>;
  state: DeliveryState;
  /** An execution of it is open. */
  open: boolean;
  attempts: number;
  lastAttemptAt?: Date;
  acceptedAt: Date;
  /** The same in whole microseconds since 1970, for the cursor: a Date has milliseconds only. */
  acceptedAtMicros: string;
  event: { id: Id<'event'>; number: number; type: string; source?: string; ingestionBatchId?: string };
  /** The batch that its newest execution was dispatched in: an operation, or the call that brought the event. */
  dispatchBatchId: string;
}

interface DispatchRow {
  id: Id<'delivery'>;
  state: DeliveryState;
  open: boolean;
  attempts: number;
  last_attempt_at: Date | null;
  accepted_at: Date;
  accepted_at_micros: string;
  event_id: Id<'event'>;
  number: number;
  type: string;
  source: string | null;
  ingestion_batch_id: string | null;
  dispatch_batch_id: string;
}

/** The deliveries to one endpoint of a tenant, newest event first, behind a given one. */
export async function listDispatches(
  db: Queryable,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  filter: DeliveryFilter & { state: DeliveryState[] },
  page: { after?: { acceptedAtMicros: string; id: Id<'delivery'> }; limit: number },
): Promise<Dispatch[]> {
  const p = new Parameters();
  const behind = page.after
    ? [
        `(d.accepted_at, d.id) < (
      timestamptz 'epoch' + ${p.add(page.after.acceptedAtMicros)}::bigint * interval '1 microsecond',
      ${p.add(page.after.id)}::uuid)`,
      ]
    : [];
  const limit = p.add(page.limit);
  const read = filterSql(tenantId, filter, { endpointId }, p, { whole: true });
  const where = [...read.where, ...behind];
  const { rows } = await db.query<DispatchRow>(
    // The page first: the batch is looked up for the rows shown, not for all that are read on the way.
    `with page as materialized (
       ${inOrder({ ...read, where }, { columns: `${read.whole}.*`, order: 'd.accepted_at desc, d.id desc', limit })}
     )
     select d.*, (extract(epoch from d.accepted_at) * 1000000)::bigint::text as accepted_at_micros,
       v.number, v.type, v.source, v.ingestion_batch_id,
       (select q.delivery_id from queue q where q.delivery_id = d.id) is not null as open,
       coalesce((select x.operation_id from execution_records x where x.delivery_id = d.id order by x.generation desc limit 1),
         v.ingest_call_id) as dispatch_batch_id
     from page d join events v on v.id = d.event_id
     order by d.accepted_at desc, d.id desc`,
    p.values,
  );
  return rows.map((row) => ({
    deliveryId: row.id,
    state: row.state,
    open: row.open,
    attempts: row.attempts,
    ...(row.last_attempt_at ? { lastAttemptAt: row.last_attempt_at } : {}),
    acceptedAt: row.accepted_at,
    acceptedAtMicros: row.accepted_at_micros,
    event: {
      id: row.event_id,
      number: row.number,
      type: row.type,
      ...(row.source !== null ? { source: row.source } : {}),
      ...(row.ingestion_batch_id !== null ? { ingestionBatchId: row.ingestion_batch_id } : {}),
    },
    dispatchBatchId: row.dispatch_batch_id,
  }));
}

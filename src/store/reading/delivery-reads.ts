import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import { DELIVERY_STATES, type DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';
import { filterSql } from '../selection/filter-conditions.ts';
import { inOrder } from '../selection/read-from.ts';

/** One delivery with the fields of its event that one wants to see. */
export interface Delivery {
  id: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  event: {
    id: Id<'event'>;
    number: number;
    externalId?: string;
    type: string;
    source?: string;
    key?: string;
  };
  state: DeliveryState;
  stateChangedAt: Date;
  acceptedAt: Date;
  /** The same in whole microseconds since 1970, for the cursor: a Date has milliseconds only. */
  acceptedAtMicros: string;
  attempts: number;
  lastAttemptAt?: Date;
  faultCode?: string;
  httpStatus?: number;
  payloadBytes: number;
  originalVersion?: number;
  replayOf?: Id<'delivery'>;
  /** It tries its endpoint. */
  test: boolean;
  /** The import that brought it. */
  importId?: Id<'import'>;
  /** What its receiver knows it by, where that is not its own id. */
  webhookId?: string;
  /** An execution of it is open: it will be sent, is being sent, or waits to be settled. */
  open: boolean;
  /** That execution. */
  openExecutionId?: Id<'execution'>;
}

/** Reads deliveries, with the event of each; `page` has the whole of them. */
const select = (page: string) =>
  `select d.*, (extract(epoch from d.accepted_at) * 1000000)::bigint::text as accepted_at_micros, v.number, v.external_id, v.type, v.source, v.key,
    (select q.execution_id from queue q where q.delivery_id = d.id) as open_execution_id
  from ${page} d join events v on v.id = d.event_id`;

/** One delivery of a tenant. */
export async function findDelivery(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'delivery'>,
): Promise<Delivery | undefined> {
  const { rows } = await db.query<DeliveryRow>(
    `${select('deliveries')} where d.tenant_id = $1 and d.id = $2`,
    [tenantId, id],
  );
  return rows[0] && deliveryFrom(rows[0]);
}

/** Deliveries that a filter selects, newest first, behind a given one; without a state in every state. */
export async function listDeliveries(
  db: Queryable,
  tenantId: Id<'tenant'>,
  filter: DeliveryFilter,
  page: { after?: { acceptedAtMicros: string; id: Id<'delivery'> }; limit: number },
): Promise<Delivery[]> {
  const p = new Parameters();
  const asked = { ...filter, state: filter.state ?? [...DELIVERY_STATES] };
  const read = filterSql(tenantId, asked, {}, p, { whole: true });
  if (page.after)
    read.where.push(`(d.accepted_at, d.id) < (
      timestamptz 'epoch' + ${p.add(page.after.acceptedAtMicros)}::bigint * interval '1 microsecond',
      ${p.add(page.after.id)}::uuid)`);
  const order = 'd.accepted_at desc, d.id desc';
  const found = inOrder(read, { columns: `${read.whole}.*`, order, limit: p.add(page.limit) });
  const { rows } = await db.query<DeliveryRow>(`${select(`(${found})`)} order by ${order}`, p.values);
  return rows.map(deliveryFrom);
}

/** Which of these deliveries of a tenant were dropped: ignored, and nothing will send them. */
export async function droppedAmong(
  db: Queryable,
  tenantId: Id<'tenant'>,
  ids: readonly Id<'delivery'>[],
): Promise<Id<'delivery'>[]> {
  const { rows } = await db.query<{ id: Id<'delivery'> }>(
    `select d.id from deliveries d where d.tenant_id = $1 and d.id = any($2::uuid[]) and d.state = 'ignored'
       and (select q.delivery_id from queue q where q.delivery_id = d.id) is null`,
    [tenantId, ids],
  );
  return rows.map((row) => row.id);
}

interface DeliveryRow {
  id: Id<'delivery'>;
  endpoint_id: Id<'endpoint'>;
  event_id: Id<'event'>;
  number: number;
  external_id: string | null;
  type: string;
  source: string | null;
  key: string | null;
  state: DeliveryState;
  state_changed_at: Date;
  accepted_at: Date;
  accepted_at_micros: string;
  attempts: number;
  last_attempt_at: Date | null;
  fault_code: string | null;
  http_status: number | null;
  payload_bytes: number;
  original_version: number | null;
  replay_of: Id<'delivery'> | null;
  test: boolean;
  import_id: Id<'import'> | null;
  webhook_id: string | null;
  open_execution_id: Id<'execution'> | null;
}

function deliveryFrom(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    event: {
      id: row.event_id,
      number: row.number,
      ...(row.external_id !== null ? { externalId: row.external_id } : {}),
      type: row.type,
      ...(row.source !== null ? { source: row.source } : {}),
      ...(row.key !== null ? { key: row.key } : {}),
    },
    state: row.state,
    stateChangedAt: row.state_changed_at,
    acceptedAt: row.accepted_at,
    acceptedAtMicros: row.accepted_at_micros,
    attempts: row.attempts,
    ...(row.last_attempt_at ? { lastAttemptAt: row.last_attempt_at } : {}),
    ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
    ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
    payloadBytes: row.payload_bytes,
    ...(row.original_version !== null ? { originalVersion: row.original_version } : {}),
    ...(row.replay_of ? { replayOf: row.replay_of } : {}),
    test: row.test,
    ...(row.import_id ? { importId: row.import_id } : {}),
    ...(row.webhook_id !== null ? { webhookId: row.webhook_id } : {}),
    open: row.open_execution_id !== null,
    ...(row.open_execution_id === null ? {} : { openExecutionId: row.open_execution_id }),
  };
}

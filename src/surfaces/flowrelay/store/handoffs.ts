import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { isFirstOf } from '../../../store/selection/of-events.ts';
import type { HandoffFacts } from '../domain/receipt.ts';
import { HANDOFF_FACTS, type HandoffRow, handoffFactsFrom } from './receipts.ts';

/**
 * The part of an endpoint's version that a receipt shows: its URL and the events it wanted, never how it is retried.
 */
export interface EndpointSnapshot {
  endpointId: Id<'endpoint'>;
  handle: string;
  version: number;
  /** As it is kept; it may have a credential in its userinfo or its query. */
  url: string;
  eventTypes?: string[];
  hasFilter: boolean;
}

/** One handoff of an event, with the endpoint as it was when it was made. */
export interface Handoff extends HandoffFacts {
  deliveryId: Id<'delivery'>;
  snapshot: EndpointSnapshot;
  currentVersion: number;
  attempts: number;
  lastAttemptAt?: Date;
  faultCode?: string;
  httpStatus?: number;
}

/** Handoffs of an event in the order they were made. */
export async function handoffsOfEvent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  limit: number,
): Promise<Handoff[]> {
  const { rows } = await db.query<
    HandoffRow &
      SnapshotRow & {
        id: Id<'delivery'>;
        attempts: number;
        last_attempt_at: Date | null;
        fault_code: string | null;
        http_status: number | null;
        current_version: number;
      }
  >(
    `${HANDOFF_FACTS}, d.id, d.endpoint_id, d.attempts, d.last_attempt_at, d.fault_code, d.http_status,
       n.handle, n.current_version, c.version, c.url, c.event_types,
       c.filter is not null as has_filter
     from deliveries d
     join endpoints n on n.id = d.endpoint_id
     cross join lateral (
       -- The version that was current when its first execution was made.
       select x.* from endpoint_versions x
       where x.endpoint_id = d.endpoint_id and (x.version = 1 or x.created_at <= (
         select e.created_at from execution_records e where e.delivery_id = d.id order by e.generation limit 1))
       order by x.version desc limit 1
     ) c
     where ${isFirstOf('d', '$2')} and d.tenant_id = $1
     order by d.id limit $3`,
    [tenantId, eventId, limit],
  );
  return rows.map((row) => ({
    ...handoffFactsFrom(row),
    deliveryId: row.id,
    snapshot: snapshotFrom(row),
    currentVersion: row.current_version,
    attempts: row.attempts,
    ...(row.last_attempt_at ? { lastAttemptAt: row.last_attempt_at } : {}),
    ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
    ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
  }));
}

/** A row that joins an endpoint with one of its versions. */
export interface SnapshotRow {
  endpoint_id: Id<'endpoint'>;
  handle: string;
  version: number;
  url: string;
  event_types: string[] | null;
  has_filter: boolean;
}

/** The snapshot in a row that joins an endpoint with one of its versions. */
export function snapshotFrom(row: SnapshotRow): EndpointSnapshot {
  return {
    endpointId: row.endpoint_id,
    handle: row.handle,
    version: row.version,
    url: row.url,
    ...(row.event_types ? { eventTypes: row.event_types } : {}),
    hasFilter: row.has_filter,
  };
}

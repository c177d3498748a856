import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import type { HandoffFacts } from '../domain/receipt.ts';
import { HANDOFF_FACTS, handoffFactsFrom } from './receipts.ts';

/** What a receipt shows of an endpoint's version: where it led and what it wanted, never how it is retried. */
export interface EndpointSnapshot {
  endpointId: string;
  handle: string;
  version: number;
  /** As it is kept; it may have a credential in its userinfo or its query. */
  url: string;
  eventTypes?: string[];
  hasFilter: boolean;
}

/** One handoff of an event, with the endpoint as it was when it was made. */
export interface Handoff extends HandoffFacts {
  deliveryId: string;
  snapshot: EndpointSnapshot;
  endpointState: EndpointState;
  currentVersion: number;
  attempts: number;
  lastAttemptAt?: Date;
  faultCode?: string;
  httpStatus?: number;
}

/** Handoffs of an event in the order they were made. */
export async function handoffsOfEvent(
  db: Queryable,
  tenantId: string,
  eventId: string,
  limit: number,
): Promise<Handoff[]> {
  const { rows } = await db.query(
    `${HANDOFF_FACTS}, d.id, d.endpoint_id, d.attempts, d.last_attempt_at, d.fault_code, d.http_status,
       n.handle, n.state as endpoint_state, n.current_version, c.version, c.url, c.event_types,
       c.filter is not null as has_filter
     from deliveries d
     join endpoints n on n.id = d.endpoint_id
     cross join lateral (
       -- The version that was current when its first execution was made.
       select x.* from endpoint_versions x
       where x.endpoint_id = d.endpoint_id and (x.version = 1 or x.created_at <= (
         select e.created_at from executions e where e.delivery_id = d.id order by e.id limit 1))
       order by x.version desc limit 1
     ) c
     where d.event_id = $2 and d.tenant_id = $1 and d.replay_of is null
     order by d.id limit $3`,
    [tenantId, eventId, limit],
  );
  return rows.map((row) => ({
    ...handoffFactsFrom(row),
    deliveryId: row.id,
    snapshot: snapshotFrom(row),
    endpointState: row.endpoint_state,
    currentVersion: row.current_version,
    attempts: row.attempts,
    ...(row.last_attempt_at ? { lastAttemptAt: row.last_attempt_at } : {}),
    ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
    ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
  }));
}

/** The snapshot in a row that joins an endpoint with one of its versions. */
// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it
export function snapshotFrom(row: any): EndpointSnapshot {
  return {
    endpointId: row.endpoint_id,
    handle: row.handle,
    version: row.version,
    url: row.url,
    ...(row.event_types ? { eventTypes: row.event_types } : {}),
    hasFilter: row.has_filter,
  };
}

/** One step of what happened to an event after it was accepted. */
export interface HandoffStep {
  at: Date;
  deliveryId: string;
  endpointId: string;
  step:
    | { what: 'attempted'; outcome: string; httpStatus?: number; faultCode?: string }
    | { what: 'ended'; state: string; reason?: string };
}

/** The newest `limit` steps of an event's handoffs, oldest of them first: each request, and how each run ended. */
export async function stepsOfEvent(
  db: Queryable,
  tenantId: string,
  eventId: string,
  limit: number,
): Promise<HandoffStep[]> {
  const { rows } = await db.query(
    `with run as materialized (
       select e.id, e.delivery_id, e.endpoint_id, e.state, e.reason, e.finished_at
       from deliveries d join executions e on e.delivery_id = d.id
       where d.event_id = $2 and d.tenant_id = $1 and d.replay_of is null
     )
     select a.started_at as at, 0 as rank, r.delivery_id, r.endpoint_id, a.outcome, a.http_status, a.fault_code,
       null as state, null as reason
     from run r join attempts a on a.execution_id = r.id
     union all
     select r.finished_at, 1, r.delivery_id, r.endpoint_id, null, null, null, r.state, r.reason
     from run r where r.finished_at is not null and r.state <> 'superseded'
     order by at desc, rank desc limit $3`,
    [tenantId, eventId, limit],
  );
  return rows.reverse().map((row) => ({
    at: row.at,
    deliveryId: row.delivery_id,
    endpointId: row.endpoint_id,
    step:
      row.state === null
        ? {
            what: 'attempted',
            outcome: row.outcome,
            ...(row.http_status !== null ? { httpStatus: row.http_status } : {}),
            ...(row.fault_code !== null ? { faultCode: row.fault_code } : {}),
          }
        : { what: 'ended', state: row.state, ...(row.reason !== null ? { reason: row.reason } : {}) },
  }));
}

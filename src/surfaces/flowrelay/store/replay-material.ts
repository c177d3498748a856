import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { EventFilter } from '../../../domain/endpoints/event-filter.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../../../store/db/queryable.ts';
import { isFirstOf } from '../../../store/selection/of-events.ts';
import { isCurrent } from '../../../store/tenancy/endpoint-versions.ts';
import type { HandoffFacts } from '../domain/receipt.ts';
import { type EndpointSnapshot, type SnapshotRow, snapshotFrom } from './handoffs.ts';
import { HANDOFF_FACTS, type HandoffRow, handoffFactsFrom } from './receipts.ts';

/** The payload of the event of a replay; undefined where it is gone. */
export async function replayPayload(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ body: string }>(
    `select p.body from payloads p where p.event_id = $2 and p.tenant_id = $1`,
    [tenantId, eventId],
  );
  return rows[0]?.body;
}

/** Endpoints that have another event of the same id, which stands for this one there. */
export async function heldElsewhere(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { id, duplicateOf }: { id: Id<'event'>; duplicateOf?: Id<'event'> },
): Promise<string[]> {
  const { rows } = await db.query<{ endpoint_id: Id<'endpoint'> }>(
    `select distinct d.endpoint_id from event_resends r
     cross join lateral (values (r.first_event_id), (r.event_id)) as same(event_id)
     join deliveries d on ${isFirstOf('d', 'same.event_id')} and d.tenant_id = $1
     where r.first_event_id = $2 and same.event_id <> $3`,
    [tenantId, duplicateOf ?? id, id],
  );
  return rows.map((row) => row.endpoint_id);
}

/** An endpoint as it is now, with the facts that decide whether it wants an event. */
export interface CurrentEndpoint extends EndpointSnapshot {
  state: EndpointState;
  filter?: EventFilter;
}

/** A handoff as a replay finds it. */
export interface HandoffTip extends HandoffFacts {
  deliveryId: Id<'delivery'>;
  endpointId: Id<'endpoint'>;
  /** Its newest execution: every change of the handoff changes it. */
  tip: { id: Id<'execution'>; state: string; attempts: number };
}

/** The handoffs of an event as a replay finds them, by the endpoint's id. */
export async function handoffTips(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<HandoffTip[]> {
  const { rows } = await db.query<
    HandoffRow & {
      id: Id<'delivery'>;
      endpoint_id: Id<'endpoint'>;
      tip_id: Id<'execution'>;
      tip_state: string;
      tip_attempts: number;
    }
  >(
    `${HANDOFF_FACTS}, d.id, d.endpoint_id, tip.id as tip_id, tip.state as tip_state, tip.attempts as tip_attempts
     from deliveries d cross join lateral (
       select e.id, e.state, e.attempts from executions e where e.delivery_id = d.id order by e.generation desc limit 1
     ) tip
     where ${isFirstOf('d', '$2')} and d.tenant_id = $1 order by d.endpoint_id`,
    [tenantId, eventId],
  );
  return rows.map((row) => ({
    ...handoffFactsFrom(row),
    deliveryId: row.id,
    endpointId: row.endpoint_id,
    tip: { id: row.tip_id, state: row.tip_state, attempts: row.tip_attempts },
  }));
}

/** These endpoints of a tenant, or, where none are named, all that are not deleted, as they are now. */
export async function currentEndpoints(
  db: Queryable,
  tenantId: Id<'tenant'>,
  ids: string[] | undefined,
): Promise<CurrentEndpoint[]> {
  const { rows } = await db.query<SnapshotRow & { state: EndpointState; filter: EventFilter | null }>(
    `select n.id as endpoint_id, n.handle, n.state, v.version, v.url, v.event_types, v.filter,
       v.filter is not null as has_filter
     from endpoints n join endpoint_versions v on ${isCurrent('v', 'n')}
     where n.tenant_id = $1 and case when $2::uuid[] is null then n.state <> 'deleted' else n.id = any($2) end
     order by n.id`,
    [tenantId, ids ?? null],
  );
  return rows.map((row) => ({
    ...snapshotFrom(row),
    state: row.state,
    ...(row.filter ? { filter: row.filter } : {}),
  }));
}

/** Holds the handoffs and endpoints of a replay as they are until the transaction ends. */
export async function holdTargets(
  db: Transaction,
  tenantId: Id<'tenant'>,
  { eventId, endpointIds }: { eventId: Id<'event'>; endpointIds: Id<'endpoint'>[] },
): Promise<void> {
  await db.query(
    `select from deliveries d where ${isFirstOf('d', '$2')} and d.tenant_id = $1 order by d.id for no key update`,
    [tenantId, eventId],
  );
  await db.query(
    `select from endpoints where tenant_id = $1 and id = any($2::uuid[]) order by id for share`,
    [tenantId, endpointIds],
  );
}

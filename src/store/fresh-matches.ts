import type { Operation } from '../domain/operation.ts';
import type { EventSelection, Selection } from '../domain/selection.ts';
import { LIVE_LANE, type Queryable } from './queryable.ts';
import { eventPage, Parameters, type SelectionCursor } from './selection-page.ts';

/** An event to be matched afresh, with the deliveries it has. */
export interface EventToMatch {
  id: string;
  tenantId: string;
  type: string;
  /** Undefined where it is not kept, and for repeats, which keep none. */
  body?: string;
  deliveries: { id: string; endpointId: string }[];
}

/** Reads the next page of events, with the cursor behind its last one. */
export async function eventsToMatch(
  db: Queryable,
  operation: Pick<Operation, 'tenantId'>,
  selection: Extract<Selection, { afresh: EventSelection }>,
  cursor: SelectionCursor,
  limit: number,
): Promise<{ events: EventToMatch[]; last?: { acceptedAt: string; id: string } }> {
  const p = new Parameters();
  const { rows } = await db.query(
    `with page as materialized (${eventPage(operation.tenantId, selection, cursor, limit, p)})
     select v.id, v.tenant_id, v.type, v.accepted_at::text as accepted_at,
       (select b.body from payloads b where b.event_id = v.id) as body,
       (select json_agg(json_build_object('id', d.id, 'endpointId', d.endpoint_id)) from deliveries d
         where d.event_id = v.id and (d.replay_of is null or v.replay_of is not null)) as deliveries
     from page v order by v.accepted_at, v.id`,
    p.values,
  );
  const last = rows.at(-1);
  return {
    events: rows.map((row) => ({
      id: row.id,
      tenantId: row.tenant_id,
      type: row.type,
      ...(row.body === null ? {} : { body: row.body }),
      deliveries: row.deliveries ?? [],
    })),
    ...(last ? { last: { acceptedAt: last.accepted_at, id: last.id } } : {}),
  };
}

/**
 * Makes first deliveries of events as items of an operation, each with its first execution. One that somebody else has
 * made meanwhile is left to them. Runs in a transaction.
 */
export async function insertFirstDeliveries(
  db: Queryable,
  { id, interactive }: Pick<Operation, 'id' | 'interactive'>,
  first: { eventId: string; endpointId: string }[],
): Promise<void> {
  if (first.length === 0) return;
  await db.query(
    `with delivery as (
      insert into deliveries (tenant_id, event_id, endpoint_id, state, accepted_at, payload_bytes)
      select v.tenant_id, v.id, n.id, 'pending', v.accepted_at, v.payload_bytes
      from unnest($2::uuid[], $3::uuid[]) as f(event_id, endpoint_id)
      join events v on v.id = f.event_id join endpoints n on n.id = f.endpoint_id and n.tenant_id = v.tenant_id
      on conflict (event_id, endpoint_id) where replay_of is null do nothing
      returning id, tenant_id, endpoint_id
    )
    insert into executions (tenant_id, delivery_id, endpoint_id, operation_id, worked_by, state, due_at, give_up_at)
    select d.tenant_id, d.id, d.endpoint_id, o.id, $4,
      case when o.not_before > now() then 'scheduled' else 'queued' end, greatest(o.not_before, now()),
      greatest(o.not_before, now()) + coalesce(
        (o.options->>'giveUpAfterMs')::float8, v.give_up_after_ms) * interval '1 millisecond'
    from delivery d cross join operations o
    join endpoints n on n.id = d.endpoint_id
    join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
    where o.id = $1`,
    [
      id,
      first.map(({ eventId }) => eventId),
      first.map(({ endpointId }) => endpointId),
      interactive ? LIVE_LANE : id,
    ],
  );
}

/** Excludes what an endpoint had and no longer wants; what it has got is excluded as delivered. */
export async function excludeUnmatched(db: Queryable, operationId: string, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.query(
    `insert into exclusions (operation_id, delivery_id, reason)
     select $1, d.id, case d.state when 'delivered' then 'already_delivered' else 'no_longer_matches' end
     from deliveries d where d.id = any($2::uuid[])
     on conflict do nothing`,
    [operationId, ids],
  );
}

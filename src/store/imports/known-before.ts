import type { KnownDelivery, KnownEvent } from '../../domain/imports/decide-lines.ts';
import type { EventIdentity, EventName } from '../../domain/imports/event-index.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';

/** Ids for what a batch of lines may make, and its time, under the lock of the tenant's counter. */
export interface ImportIds {
  eventIds: Id<'event'>[];
  deliveryIds: Id<'delivery'>[];
  executionIds: Id<'execution'>[];
  /** A text of the database: a Date would lose its microseconds. */
  acceptedAt: string;
}

/**
 * Locks the tenant's counter of events until the transaction ends, so that no event takes an id of the lines meanwhile,
 * and allots ids. The numbers of those events that are made come later.
 */
export async function lockCounter(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  lines: number,
): Promise<ImportIds> {
  const { rows } = await tx.query<{ ids: string[]; accepted_at: string }>({
    name: 'lock-counter',
    text: `select clock_timestamp()::text as accepted_at, array(select uuidv7() from generate_series(1, $2 * 3) order by 1) as ids
     from tenant_counters where tenant_id = $1 for update`,
    values: [tenantId, lines],
  });
  const [row] = rows;
  if (!row) throw new Error('the tenant has no counter of event numbers');
  return {
    eventIds: row.ids.slice(0, lines) as Id<'event'>[],
    deliveryIds: row.ids.slice(lines, 2 * lines) as Id<'delivery'>[],
    executionIds: row.ids.slice(2 * lines) as Id<'execution'>[],
    acceptedAt: row.accepted_at,
  };
}

/** So many events of one id are looked at for one of a given source: a sender that gives one to more finds none. */
const OF_ONE_ID = 200;

/**
 * The events of a tenant with these identities, and up to two for each of these names: whoever names an event without its
 * type asks for the only one. Never more for one id, which somebody may have given to any number of events. This statement,
 * and the others here and in `write-lines.ts` that look something up, have no names: an import makes a small table large
 * within a minute, and a plan that is kept would go on to read all of it.
 */
export async function knownEvents(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  { identities, names }: { identities: readonly EventIdentity[]; names: readonly EventName[] },
): Promise<KnownEvent[]> {
  if (identities.length + names.length === 0) return [];
  const { rows } = await tx.query<{
    external_id: string;
    type: string;
    source: string;
    event_id: Id<'event'>;
    imported: boolean;
    payload_kept: boolean;
  }>({
    text: `select i.external_id, i.type, i.source, i.event_id, v.imported, v.payload_kept
     from (
       select x.* from unnest($2::text[], $3::text[], $4::text[]) as u(external_id, type, source)
       cross join lateral (
         select y.* from event_identities y
         where y.tenant_id = $1 and y.external_id = u.external_id and y.type = u.type and y.source = u.source limit 1
       ) x
       union
       select x.* from unnest($5::text[], $6::text[]) as u(external_id, source)
       cross join lateral (
         select z.* from (
           select y.* from event_identities y where y.tenant_id = $1 and y.external_id = u.external_id limit ${OF_ONE_ID}
         ) z where z.source = u.source limit 2
       ) x
     ) i
     cross join lateral (
       select w.import_id is not null as imported, w.payload_removed_at is null as payload_kept
       from events w where w.id = i.event_id limit 1
     ) v`,
    values: [
      tenantId,
      identities.map(({ externalId }) => externalId),
      identities.map(({ type }) => type),
      identities.map(({ source }) => source ?? ''),
      names.map(({ externalId }) => externalId),
      names.map(({ source }) => source ?? ''),
    ],
  });
  return rows.map((row) => ({
    eventId: row.event_id,
    externalId: row.external_id,
    type: row.type,
    imported: row.imported,
    payloadKept: row.payload_kept,
    ...present({ source: row.source || undefined }),
  }));
}

/**
 * The deliveries of these events at these endpoints, locked until the transaction ends, in the order of their ids as
 * everywhere.
 */
export async function knownDeliveries(
  tx: Transaction,
  asked: readonly { eventId: Id<'event'>; endpointId: Id<'endpoint'> }[],
): Promise<KnownDelivery[]> {
  if (asked.length === 0) return [];
  const { rows: locked } = await tx.query<{
    id: Id<'delivery'>;
    event_id: Id<'event'>;
    endpoint_id: Id<'endpoint'>;
    state: string;
  }>({
    text: `select d.id, d.event_id, d.endpoint_id, d.state from deliveries d
     where d.id in (
       select x.id from unnest($1::uuid[], $2::uuid[]) as u(event_id, endpoint_id)
       cross join lateral (
         select y.id from deliveries y
         where y.event_id = u.event_id and y.endpoint_id = u.endpoint_id and y.replay_of is null
       ) x
     ) order by d.id for no key update`,
    values: [asked.map(({ eventId }) => eventId), asked.map(({ endpointId }) => endpointId)],
  });
  if (locked.length === 0) return [];
  // A statement of its own: it has to see what others have done to them by now.
  const { rows: runs } = await tx.query<{
    delivery_id: Id<'delivery'>;
    untouched: Id<'execution'> | null;
    may_have_arrived: boolean | null;
    attempt_ids: Id<'attempt'>[];
  }>({
    text: `select u.id as delivery_id,
       (select min(e.id::text)::uuid from executions e where e.delivery_id = u.id
         having count(*) = 1 and bool_and(e.reason = 'imported')) as untouched,
       (select bool_or(e.may_have_arrived) from executions e where e.delivery_id = u.id) as may_have_arrived,
       array(select a.id from executions e
         cross join lateral (select x.id from attempts x where x.execution_id = e.id and x.imported offset 0) a
         where e.delivery_id = u.id) as attempt_ids
     from unnest($1::uuid[]) as u(id)`,
    values: [locked.map(({ id }) => id)],
  });
  const runOf = new Map(runs.map((run) => [run.delivery_id, run]));
  return locked.map(({ id, event_id: eventId, endpoint_id: endpointId, state }) => ({
    deliveryId: id,
    eventId,
    endpointId,
    state,
    mayHaveArrived: runOf.get(id)?.may_have_arrived ?? false,
    attemptIds: runOf.get(id)?.attempt_ids ?? [],
    ...present({ untouched: runOf.get(id)?.untouched }),
  }));
}

/** Which of these ids other deliveries of these endpoints are sent with, as `<endpoint>/<id>`. */
export async function takenWebhookIds(
  tx: Transaction,
  asked: readonly { endpointId: Id<'endpoint'>; webhookId: string }[],
): Promise<string[]> {
  if (asked.length === 0) return [];
  const { rows } = await tx.query<{ taken: string }>({
    text: `select d.endpoint_id || '/' || d.webhook_id as taken
     from unnest($1::uuid[], $2::text[]) as u(endpoint_id, webhook_id)
     cross join lateral (
       select x.endpoint_id, x.webhook_id from deliveries x
       where x.endpoint_id = u.endpoint_id and x.webhook_id = u.webhook_id
     ) d`,
    values: [asked.map(({ endpointId }) => endpointId), asked.map(({ webhookId }) => webhookId)],
  });
  return rows.map(({ taken }) => taken);
}

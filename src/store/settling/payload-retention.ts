import { PIN_DAYS } from '../../domain/operations/plan.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { isQueued, lookedUp } from '../db/looked-up.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { ignoreWaitingWithoutPayload } from './settlement.ts';

/** The result of one round of expiry. */
export interface Expired {
  /** Payloads that went. */
  removed: number;
  /** Events it looked at; fewer than the limit where there is nothing more to do now. */
  examined: number;
}

/** Where a sweep stands and how far it may go, as texts of the database: a Date would lose its microseconds. */
interface SweepRow {
  accepted_at: string;
  event_id: Id<'event'>;
  cutoff: string | null;
}

/**
 * Removes payloads of a tenant that are older than its setting, looking at up to `limit` events, oldest first from
 * where the last round stopped. An event with an open execution keeps its payload and is looked at again in later
 * rounds; so does one that is within the span of an open plan, for some days past its term. While another process does the same, there is nothing to do.
 */
export async function expirePayloads(
  db: Transaction,
  tenantId: Id<'tenant'>,
  limit: number,
): Promise<Expired> {
  await db.query(`insert into payload_sweeps (tenant_id) values ($1) on conflict do nothing`, [tenantId]);
  const sweep = await db.query<SweepRow>(
    `select s.accepted_at::text as accepted_at, s.event_id,
       case when t.settings ? 'payloadRetentionDays' then
         (clock_timestamp() - retention_days(t.settings, 'payload') * interval '1 day')::text end as cutoff
     from payload_sweeps s join tenants t on t.id = s.tenant_id where s.tenant_id = $1 for update of s skip locked`,
    [tenantId],
  );
  const at = sweep.rows[0];
  if (!at || at.cutoff === null) return { removed: 0, examined: 0 };
  const { rows: page } = await db.query<{ id: Id<'event'>; accepted_at: string }>(
    `select v.id, v.accepted_at::text as accepted_at from events v
     where v.tenant_id = $1 and (v.accepted_at, v.id) > ($2::timestamptz, $3::uuid) and v.accepted_at < $4::timestamptz
     order by v.accepted_at, v.id limit $5`,
    [tenantId, at.accepted_at, at.event_id, at.cutoff, limit],
  );
  const held = await db.query<{ event_id: Id<'event'> }>(
    `select h.event_id from payload_sweep_held h join events v on v.id = h.event_id
     where h.tenant_id = $1 and v.accepted_at < $2::timestamptz order by h.looked_at limit $3`,
    [tenantId, at.cutoff, limit],
  );
  const removed = await removeIdle(db, tenantId, [
    ...page.map((row) => row.id),
    ...held.rows.map((row) => row.event_id),
  ]);
  const last = page.at(-1);
  if (last)
    await db.query(`update payload_sweeps set accepted_at = $2, event_id = $3 where tenant_id = $1`, [
      tenantId,
      last.accepted_at,
      last.id,
    ]);
  return { removed, examined: page.length };
}

async function removeIdle(db: Transaction, tenantId: Id<'tenant'>, eventIds: Id<'event'>[]): Promise<number> {
  if (eventIds.length === 0) return 0;
  const answer = await db.query<{ removed: number }>(
    `with pinning as materialized (
      select p.pin_from, p.pin_to, clock_timestamp() - ${PIN_DAYS} * interval '1 day'
        - retention_days(t.settings, 'payload') * interval '1 day' as keeps_from
      from plans p join operations o on o.id = p.operation_id and o.closed_at is null
      join tenants t on t.id = p.tenant_id where p.tenant_id = $1 and p.pin_from is not null
    ), candidate as materialized (
      -- Twice, for the deliveries of an event are in two indexes: first ones, and those that repeat another.
      select u.id, exists (select from deliveries d where d.event_id = u.id and d.replay_of is null and ${isQueued('d.id')})
        or exists (select from deliveries d where d.event_id = u.id and d.replay_of is not null and ${isQueued('d.id')})
        or exists (select from events v cross join pinning p join deliveries d on d.event_id = v.id and d.replay_of is null
          where v.id = u.id and v.accepted_at > p.keeps_from and d.accepted_at between p.pin_from and p.pin_to)
        or exists (select from events v cross join pinning p join deliveries d on d.event_id = v.id and d.replay_of is not null
          where v.id = u.id and v.accepted_at > p.keeps_from and d.accepted_at between p.pin_from and p.pin_to) as busy
      from unnest($2::uuid[]) as u(id)
    ), gone as (
      delete from payloads p using candidate c
      where ${lookedUp('p.event_id', 'c.id', 'not c.busy')} and p.tenant_id = $1 returning p.event_id
    ), marked as (
      update events v set payload_removed_at = clock_timestamp(), payload_removed_for = 'retention'
      from gone g where v.id = g.event_id
    ), held as (
      insert into payload_sweep_held (tenant_id, event_id)
      select $1, c.id from candidate c where c.busy
      on conflict (tenant_id, event_id) do update set looked_at = now()
    ), released as (
      delete from payload_sweep_held h using candidate c
      where h.tenant_id = $1 and h.event_id = c.id and not c.busy
    )
    select count(*)::int as removed from gone`,
    [tenantId, eventIds],
  );
  return onlyRow(answer).removed;
}

/**
 * Erases the payload of an event at once, even while executions are open, and the answers of receivers, which may
 * repeat it; false where the tenant has no such event.
 */
export async function erasePayload(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<boolean> {
  const answer = await db.query<{ known: boolean }>(
    `with gone as (
      delete from payloads where event_id = $2 and tenant_id = $1 returning event_id
    ), marked as (
      update events v set payload_removed_at = clock_timestamp(), payload_removed_for = 'erasure'
      from gone g where v.id = g.event_id
    ), answers as (
      update attempts a set response_excerpt = null
      from (select id from deliveries where event_id = $2 and tenant_id = $1 and replay_of is null
        union all select id from deliveries where event_id = $2 and tenant_id = $1 and replay_of is not null) d
      join execution_records e on e.delivery_id = d.id
      where ${lookedUp('a.execution_id', 'e.id')} and a.response_excerpt is not null
    )
    select exists (select from events where id = $2 and tenant_id = $1) as known`,
    [tenantId, eventId],
  );
  return onlyRow(answer).known;
}

/**
 * Ends what waits of the deliveries of an event whose payload was erased, in the transaction of the erasure: a repeat of
 * its id would be suppressed for the sake of something that is never sent. Returns the deliveries that it ended.
 */
export async function endWaitingOfErased(
  db: Transaction,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
): Promise<Id<'delivery'>[]> {
  const { rows } = await db.query<{ id: Id<'delivery'> }>(
    `with mine as materialized (
      -- Twice, for the deliveries of an event are in two indexes.
      select id from deliveries where event_id = $2 and tenant_id = $1 and replay_of is null
      union all
      select id from deliveries where event_id = $2 and tenant_id = $1 and replay_of is not null
    )
    select d.id from deliveries d where d.id in (select id from mine) and ${isQueued('d.id')}
    order by d.id for no key update`,
    [tenantId, eventId],
  );
  return ignoreWaitingWithoutPayload(
    db,
    rows.map(({ id }) => id),
  );
}

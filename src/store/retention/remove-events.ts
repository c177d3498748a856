import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Transaction } from '../db/queryable.ts';
import { KEPT_FOR_SQL, type KeptFor, namingSql, PAST_TERM_BEFORE, pinningSql } from './kept-events.ts';
import { closeToSelection } from './removal-gate.ts';

/** How much one removal does: it is one transaction, for which selections of the tenant wait. */
export interface RemovalSize {
  /** Events that it looks at. */
  events: number;
  /** Deliveries at about which it stops; an event goes whole. */
  deliveries: number;
  /** How long it waits for selections that are at work. */
  waitMs: number;
}

/** The result of one removal. */
export interface Removed {
  events: number;
  /** Whether there was more to look at. */
  more: boolean;
}

/** Where the removal of a tenant stands and how far it may go, as texts of the database. */
interface SweepRow {
  accepted_at: string;
  event_id: Id<'event'>;
  before: string | null;
}

interface Candidate {
  id: Id<'event'>;
  accepted_at: string;
  deliveries: number;
  behind: boolean;
  /** False where it went otherwise than by a removal of single events. */
  there: boolean;
}

/**
 * Removes events of a tenant that are past their term, with everything that hangs on them, oldest first from where the last
 * removal stopped. What something keeps is passed by and looked at again later. Undefined while another process does the
 * same, or a selection reads deliveries that it has named. Rows that others hold are not waited for.
 */
export async function removeEvents(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  size: RemovalSize,
): Promise<Removed | undefined> {
  await tx.query(`select set_config('lock_timeout', $1::int || 'ms', true)`, [size.waitMs]);
  const sweep = await lockSweep(tx, tenantId);
  if (!sweep || sweep.before === null) return undefined;
  // Before the gate, so that nobody waits where nothing is due; what is found is looked at again behind it.
  const candidates = await nextCandidates(tx, tenantId, { ...sweep, before: sweep.before }, size);
  if (candidates.length === 0) return { events: 0, more: false };
  await closeToSelection(tx, tenantId);
  const { rows: names } = await tx.query<{ named: boolean }>(`select ${namingSql('$1')} as named`, [
    tenantId,
  ]);
  if (names[0]?.named) return undefined;
  const held = await holdRows(tx, tenantId, candidates);
  const kept = await whyKept(tx, tenantId, sweep.before, candidates, held);
  const going = candidates.filter(({ id, there }) => there && !kept.has(id)).map(({ id }) => id);
  await removeWhole(tx, tenantId, going, held);
  await noteKept(tx, tenantId, candidates, kept);
  const last = candidates.findLast(({ behind }) => !behind);
  if (last)
    await tx.query('update event_sweeps set accepted_at = $2, event_id = $3 where tenant_id = $1', [
      tenantId,
      last.accepted_at,
      last.id,
    ]);
  return { events: going.length, more: last !== undefined || going.length > 0 };
}

/** Keeps other removals of the tenant away, and the expiry of its payloads, which passes by the same events. */
async function lockSweep(tx: Transaction, tenantId: Id<'tenant'>): Promise<SweepRow | undefined> {
  await tx.query(
    `with own as (insert into event_sweeps (tenant_id) values ($1) on conflict do nothing)
     insert into payload_sweeps (tenant_id) values ($1) on conflict do nothing`,
    [tenantId],
  );
  const { rows } = await tx.query<SweepRow>(
    `select s.accepted_at::text as accepted_at, s.event_id, (${PAST_TERM_BEFORE})::text as before
     from event_sweeps s join payload_sweeps p on p.tenant_id = s.tenant_id join tenants t on t.id = s.tenant_id
     where s.tenant_id = $1 for update of s, p skip locked`,
    [tenantId],
  );
  return rows[0];
}

/** The next events behind the place of the sweep, and those before it that were kept; fewer where they are large. */
async function nextCandidates(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  { accepted_at: acceptedAt, event_id: eventId, before }: SweepRow & { before: string },
  { events, deliveries }: RemovalSize,
): Promise<Candidate[]> {
  const { rows } = await tx.query<Candidate>(
    `with next as materialized (
      select v.id, v.accepted_at, false as behind from events v
      where v.tenant_id = $1 and (v.accepted_at, v.id) > ($2::timestamptz, $3::uuid) and v.accepted_at < $4::timestamptz
      order by v.accepted_at, v.id limit $5
    ), again as materialized (
      select h.event_id as id, h.accepted_at, true as behind from event_sweep_held h
      where h.tenant_id = $1 and h.accepted_at < $4::timestamptz order by h.looked_at limit $5
    )
    select c.id, c.accepted_at::text as accepted_at, c.behind,
      (select v.id from events v where v.id = c.id) is not null as there,
      ((select count(*) from deliveries d where d.event_id = c.id and d.replay_of is null)
        + (select count(*) from deliveries d where d.event_id = c.id and d.replay_of is not null))::int as deliveries
    from (select * from next union all select * from again) c order by c.behind, c.accepted_at, c.id`,
    [tenantId, acceptedAt, eventId, before, events],
  );
  let sum = 0;
  return rows.filter((row) => {
    const fits = sum === 0 || sum + row.deliveries <= deliveries;
    sum += row.deliveries;
    return fits;
  });
}

/** The rows that nobody changes, or stands on, until the transaction ends. */
interface HeldRows {
  events: Id<'event'>[];
  deliveries: Id<'delivery'>[];
}

/**
 * Locks the rows of events by which others get at them, as far as nobody holds them: who repeats the event holds its
 * identity, who replays or erases it its payload, who settles, replays or replaces a delivery that. Held by the id of an
 * event only where all of its rows are.
 */
async function holdRows(tx: Transaction, tenantId: Id<'tenant'>, candidates: Candidate[]): Promise<HeldRows> {
  const ids = candidates.map(({ id }) => id);
  const identities = await tx.query<{ event_id: Id<'event'> }>(
    `select i.event_id from events v join event_identities i on i.tenant_id = v.tenant_id and i.external_id = v.external_id
       and i.type = v.type and i.source = coalesce(v.source, '') and i.event_id = v.id
     where v.tenant_id = $1 and v.id = any($2::uuid[]) for update of i skip locked`,
    [tenantId, ids],
  );
  const deliveries = await tx.query<{ id: Id<'delivery'> }>(
    `select d.id from deliveries d where d.id in (
       select x.id from deliveries x where x.event_id = any($1::uuid[]) and x.replay_of is null
       union all select x.id from deliveries x where x.event_id = any($1::uuid[]) and x.replay_of is not null)
     order by d.id for update skip locked`,
    [ids],
  );
  const payloads = await tx.query<{ event_id: Id<'event'> }>(
    `select p.event_id from unnest($1::uuid[]) as u(id) join payloads p on ${lookedUp('p.event_id', 'u.id')}
     order by p.event_id for update of p skip locked`,
    [ids],
  );
  const events = await tx.query<{ id: Id<'event'> }>(
    `select v.id from events v where v.tenant_id = $1 and v.id = any($2::uuid[]) order by v.id for update skip locked`,
    [tenantId, ids],
  );
  // By a statement that sees what is there now.
  const whole = await tx.query<{ id: Id<'event'> }>(
    `select v.id from events v where v.tenant_id = $1 and v.id = any($2::uuid[])
       and not exists (select from deliveries d where d.event_id = v.id and d.replay_of is null and d.id <> all($3::uuid[]))
       and not exists (select from deliveries d where d.event_id = v.id and d.replay_of is not null and d.id <> all($3::uuid[]))
       and (select p.event_id from payloads p where p.event_id = v.id and p.event_id <> all($4::uuid[])) is null
       and not exists (select from event_identities i where i.tenant_id = v.tenant_id and i.external_id = v.external_id
         and i.type = v.type and i.source = coalesce(v.source, '') and i.event_id = v.id and i.event_id <> all($5::uuid[]))`,
    [
      tenantId,
      events.rows.map(({ id }) => id),
      deliveries.rows.map(({ id }) => id),
      payloads.rows.map((row) => row.event_id),
      identities.rows.map((row) => row.event_id),
    ],
  );
  return {
    events: whole.rows.map(({ id }) => id),
    deliveries: deliveries.rows.map(({ id }) => id),
  };
}

/** Why each of the candidates stays that does. */
async function whyKept(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  before: string,
  candidates: Candidate[],
  held: HeldRows,
): Promise<Map<Id<'event'>, KeptFor>> {
  const { rows } = await tx.query<{ id: Id<'event'>; kept_for: KeptFor | null }>(
    `with pinning as materialized (${pinningSql('$1')}), past as materialized (select $3::timestamptz as before)
     select v.id, ${KEPT_FOR_SQL} as kept_for from events v cross join past
     where v.tenant_id = $1 and v.id = any($2::uuid[]) and v.accepted_at < past.before`,
    [tenantId, held.events, before],
  );
  const kept = new Map(
    candidates.filter(({ there }) => there).map(({ id }): [Id<'event'>, KeptFor] => [id, 'busy']),
  );
  for (const { id, kept_for: why } of rows)
    if (why === null) kept.delete(id);
    else kept.set(id, why);
  return kept;
}

/** Removes events with everything of theirs. */
async function removeWhole(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  eventIds: Id<'event'>[],
  held: HeldRows,
): Promise<void> {
  if (eventIds.length === 0) return;
  const { ids: deliveryIds, runs } = onlyRow(
    await tx.query<{ ids: Id<'delivery'>[]; runs: Id<'execution'>[] }>(
      `with own as materialized (
        select d.id from deliveries d where d.id = any($1::uuid[]) and d.event_id = any($2::uuid[])
      )
      select array(select id from own) as ids,
        array(select e.id from execution_records e where e.delivery_id = any(array(select id from own))) as runs`,
      [held.deliveries, eventIds],
    ),
  );
  await tx.query(
    `with attempt as (delete from attempts a using unnest($4::uuid[]) as u(id) where ${lookedUp('a.execution_id', 'u.id')}),
     resolved as (delete from resolved_executions where execution_id = any($4::uuid[])),
     listed as (delete from listed_executions where execution_id = any($4::uuid[])),
     excluded as (delete from exclusions where delivery_id = any($3::uuid[])),
     run as (delete from execution_records where id = any($4::uuid[])),
     delivery as (delete from deliveries where id = any($3::uuid[])),
     payload as (delete from payloads p using unnest($2::uuid[]) as u(id) where ${lookedUp('p.event_id', 'u.id')}),
     swept as (delete from payload_sweep_held where tenant_id = $1 and event_id = any($2::uuid[])),
     origin as (delete from event_origins where event_id = any($2::uuid[])),
     replayed as (delete from receipt_replays where tenant_id = $1 and event_id = any($2::uuid[])),
     sent_again as (delete from event_resends r using events v
       where v.id = any($2::uuid[]) and r.first_event_id = v.duplicate_of and r.event_id = v.id),
     identity as (delete from event_identities i using events v
       where v.id = any($2::uuid[]) and i.tenant_id = $1 and i.external_id = v.external_id and i.type = v.type
         and i.source = coalesce(v.source, '') and i.event_id = v.id)
     delete from events where tenant_id = $1 and id = any($2::uuid[])`,
    [tenantId, eventIds, deliveryIds, runs],
  );
  // Frozen ones go only where their receipt is gone.
  await tx.query('delete from receipt_diagnostics where tenant_id = $1 and receipt_id = any($2::uuid[])', [
    tenantId,
    eventIds,
  ]);
}

async function noteKept(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  candidates: Candidate[],
  kept: Map<Id<'event'>, KeptFor>,
): Promise<void> {
  if (candidates.length === 0) return;
  const staying = candidates.filter(({ id }) => kept.has(id));
  await tx.query(
    `with gone as (
      delete from event_sweep_held where tenant_id = $1 and event_id = any($2::uuid[])
    )
    insert into event_sweep_held (tenant_id, event_id, accepted_at, kept_for)
    select $1, u.id, u.accepted_at, u.kept_for from unnest($3::uuid[], $4::timestamptz[], $5::text[]) as u(id, accepted_at, kept_for)
    on conflict (tenant_id, event_id) do update set looked_at = now(), kept_for = excluded.kept_for`,
    [
      tenantId,
      candidates.filter(({ id, behind }) => behind && !kept.has(id)).map(({ id }) => id),
      staying.map(({ id }) => id),
      staying.map((row) => row.accepted_at),
      staying.map(({ id }) => kept.get(id)),
    ],
  );
}

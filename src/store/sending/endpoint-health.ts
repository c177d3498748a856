import { present } from '../../domain/present.ts';
import { type EndpointHealth, type HealthSigns, reactTo } from '../../domain/sending/endpoint-health.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';
import { queueOwners } from './queue-owners.ts';

/** A circuit that has opened, for how long and how many times in a row, or that has closed. */
export type CircuitChange =
  | { endpointId: Id<'endpoint'>; now: 'open'; openings: number; forMs: number }
  | { endpointId: Id<'endpoint'>; now: 'closed' };

interface HealthRow {
  endpoint_id: Id<'endpoint'>;
  window_size: number | null;
  streak: number;
  openings: number;
  resting: boolean;
  since_halved_ms: number;
  in_use: number;
}

/**
 * Changes how senders treat endpoints by the signs of some requests to them, by the rules of the domain. Rows are
 * locked in the order of their ids. Returns the circuits that opened, again or for the first time, and those that
 * closed.
 */
export async function reactToSigns(
  tx: Transaction,
  signs: Map<Id<'endpoint'>, HealthSigns>,
): Promise<CircuitChange[]> {
  const { rows } = await tx.query<HealthRow>(
    `select p.endpoint_id, p.window_size, p.streak, p.openings,
       p.openings > 0 and p.floor_until > clock_timestamp() as resting,
       least(1e12, extract(epoch from clock_timestamp() - greatest(p.halved_at, 'epoch')) * 1000)::float8 as since_halved_ms,
       (select coalesce(sum(s.slots), 0)::int from pace_slots s
        where s.paced_id = p.endpoint_id and s.expires_at > clock_timestamp()) as in_use
     from endpoint_pacing p join endpoints n on n.id = p.endpoint_id
     join endpoint_versions v on ${isCurrent('v', 'n')}
     where p.endpoint_id = any($1::uuid[]) and v.protect order by p.endpoint_id for no key update of p`,
    [[...signs.keys()]],
  );
  const changes = rows.flatMap((row) => {
    const before: EndpointHealth = {
      ...present({ window: row.window_size }),
      streak: row.streak,
      openings: row.openings,
      resting: row.resting,
      sinceHalvedMs: row.since_halved_ms,
    };
    const seen = signs.get(row.endpoint_id);
    if (!seen) return [];
    const { health, closedForMs } = reactTo(before, {
      ...seen,
      inFlight: Math.max(seen.inFlight, row.in_use),
    });
    const same =
      health.window === before.window &&
      health.streak === before.streak &&
      health.openings === before.openings &&
      closedForMs === undefined;
    const closes = before.openings > 0 && health.openings === 0;
    return same ? [] : [{ id: row.endpoint_id, health, closedForMs, closes }];
  });
  if (changes.length === 0) return [];
  await tx.query(
    `update endpoint_pacing p set
       window_size = t.window_size,
       halved_at = case when t.halved then clock_timestamp() else p.halved_at end,
       streak = t.streak,
       openings = t.openings,
       trial_until = '-infinity',
       floor_until = case
         when t.closed_for_ms is not null
           then greatest(p.floor_until, clock_timestamp() + t.closed_for_ms * interval '1 millisecond')
         -- It answers again: only the wait that it asked for itself is left.
         when t.closes then p.retry_after_until else p.floor_until end
     from unnest($1::uuid[], $2::float8[], $3::boolean[], $4::int[], $5::int[], $6::float8[], $7::boolean[])
       as t(id, window_size, halved, streak, openings, closed_for_ms, closes)
     where p.endpoint_id = t.id`,
    [
      changes.map(({ id }) => id),
      changes.map(({ health }) => health.window ?? null),
      changes.map(({ health }) => health.sinceHalvedMs === 0),
      changes.map(({ health }) => health.streak),
      changes.map(({ health }) => health.openings),
      changes.map(({ closedForMs }) => closedForMs ?? null),
      changes.map(({ closes }) => closes),
    ],
  );
  return changes.flatMap(({ id, health, closedForMs, closes }): CircuitChange[] => {
    if (closedForMs !== undefined)
      return [{ endpointId: id, now: 'open', openings: health.openings, forMs: closedForMs }];
    return closes ? [{ endpointId: id, now: 'closed' }] : [];
  });
}

/** Forgets the protection of an endpoint: its circuit is closed and its window open. Its Retry-After stands. */
export async function forgetProtection(db: Queryable, endpointId: Id<'endpoint'>): Promise<void> {
  await db.query(
    `update endpoint_pacing set window_size = null, streak = 0, openings = 0, trial_until = '-infinity',
       floor_until = retry_after_until
     where endpoint_id = $1`,
    [endpointId],
  );
}

/**
 * Lifts all restrictions on an endpoint, its Retry-After included: an operator knows better. Senders that remember
 * signs of it see by the time of the lifting that these count no more.
 */
export async function liftAll(db: Queryable, endpointId: Id<'endpoint'>): Promise<void> {
  await db.query(
    `update endpoint_pacing set window_size = null, streak = 0, openings = 0, trial_until = '-infinity',
       floor_until = '-infinity', retry_after_until = '-infinity', lifted_at = clock_timestamp(),
       missed = 0, missed_from = null
     where endpoint_id = $1`,
    [endpointId],
  );
}

/**
 * Makes executions due that an endpoint's own Retry-After put off, in the live lane and in the open operations of its
 * tenant: those whose last attempt was answered so.
 */
export async function makeRetryAftersDue(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<void> {
  await tx.query(
    `with owners as materialized ${queueOwners('$1')}, put_off as (
      select q.delivery_id from owners o join queue q on q.in_queue and q.worked_by = o.id
      where q.endpoint_id = $2 and q.state = 'scheduled' and q.due_at > now() and q.attempts > 0
        and (select a.retry_after_ms from attempts a where a.execution_id = q.execution_id and a.number = q.attempts)
          is not null
      order by q.execution_id for update of q skip locked
    )
    update queue q set due_at = now() from put_off p
    where ${lookedUp('q.delivery_id', 'p.delivery_id')} and q.state = 'scheduled'`,
    [[tenantId, PLATFORM_TENANT.id], endpointId],
  );
}

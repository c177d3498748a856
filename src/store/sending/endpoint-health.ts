import { type EndpointHealth, type HealthSigns, reactTo } from '../../domain/sending/endpoint-health.ts';
import type { Queryable } from '../db/queryable.ts';

/** A circuit that has opened, for how long and for the how manieth time in a row, or that has closed. */
export type CircuitChange =
  | { endpointId: string; now: 'open'; openings: number; forMs: number }
  | { endpointId: string; now: 'closed' };

/**
 * Lets what some requests said of their endpoints change how senders treat these; the rules are those of the domain.
 * Rows are locked in the order of their ids. Returns whose circuits opened, further or for the first time, and whose closed.
 * Runs in a transaction.
 */
export async function reactToSigns(db: Queryable, signs: Map<string, HealthSigns>): Promise<CircuitChange[]> {
  const { rows } = await db.query(
    `select p.endpoint_id, p.window_size, p.streak, p.openings,
       p.openings > 0 and p.floor_until > clock_timestamp() as resting,
       least(1e12, extract(epoch from clock_timestamp() - greatest(p.halved_at, 'epoch')) * 1000)::float8 as since_halved_ms
     from endpoint_pacing p join endpoints n on n.id = p.endpoint_id
     join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
     where p.endpoint_id = any($1::uuid[]) and v.protect order by p.endpoint_id for no key update of p`,
    [[...signs.keys()]],
  );
  const changes = rows.flatMap((row) => {
    const before: EndpointHealth = {
      ...(row.window_size === null ? {} : { window: row.window_size }),
      streak: row.streak,
      openings: row.openings,
      resting: row.resting,
      sinceHalvedMs: row.since_halved_ms,
    };
    const seen = signs.get(row.endpoint_id);
    if (!seen) return [];
    const { health, closedForMs } = reactTo(before, seen);
    const same =
      health.window === before.window &&
      health.streak === before.streak &&
      health.openings === before.openings &&
      closedForMs === undefined;
    const closes = before.openings > 0 && health.openings === 0;
    return same ? [] : [{ id: row.endpoint_id, health, closedForMs, closes }];
  });
  if (changes.length === 0) return [];
  await db.query(
    `update endpoint_pacing p set
       window_size = t.window_size,
       halved_at = case when t.halved then clock_timestamp() else p.halved_at end,
       streak = t.streak,
       openings = t.openings,
       trial_until = '-infinity',
       floor_until = case
         when t.closed_for_ms is not null
           then greatest(p.floor_until, clock_timestamp() + t.closed_for_ms * interval '1 millisecond')
         -- It answers again: nothing is left to wait for.
         when t.closes then clock_timestamp() else p.floor_until end
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

/** Forgets what was held against an endpoint: an operator knows better. */
export async function forgetHealth(db: Queryable, endpointId: string): Promise<void> {
  await db.query(
    `update endpoint_pacing set window_size = null, streak = 0, openings = 0, trial_until = '-infinity',
       floor_until = case when openings > 0 then clock_timestamp() else floor_until end
     where endpoint_id = $1`,
    [endpointId],
  );
}

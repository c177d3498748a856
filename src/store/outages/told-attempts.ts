import {
  type GoodSpell,
  isOutageByItself,
  type MissedRun,
  runAfter,
  spellAfter,
  type ToldAttempts,
} from '../../domain/outages/attempts-told.ts';
import type { OutageRules } from '../../domain/outages/outage-rules.ts';
import type { OutageChange } from '../../domain/outages/outage-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { openOutage } from './outage-states.ts';

interface ToldRow {
  endpoint_id: Id<'endpoint'>;
  missed: number;
  missed_for_ms: number;
  outage_id: Id<'outage'> | null;
  good: number | null;
  bad: number | null;
  good_for_ms: number | null;
}

/**
 * Tells the ledger what became of some attempts: it counts those in a row that were not delivered, and opens an outage
 * where these are too many for too long; while one is open it notes whether the endpoint does well again. Endpoints are
 * locked in the order of their ids.
 *
 * Attempts grow older from `takenAtMs` (of the monotonic clock), when their ages were taken, while this waits for a
 * connection and for locks: an outage that began so much too late would leave out its first deliveries.
 */
export async function tellAttempts(
  tx: Transaction,
  told: ReadonlyMap<Id<'endpoint'>, ToldAttempts>,
  rules: OutageRules,
  takenAtMs = performance.now(),
): Promise<OutageChange[]> {
  const ids = [...told.keys()];
  // A statement of its own: what is read behind it is as those left it who held these before.
  await tx.query(
    'select from endpoint_pacing where endpoint_id = any($1::uuid[]) order by endpoint_id for no key update',
    [ids],
  );
  const { rows } = await tx.query<ToldRow>(
    `select p.endpoint_id, p.missed, p.outage_id, o.good, o.bad,
       coalesce(extract(epoch from clock_timestamp() - p.missed_from) * 1000, 0)::float8 as missed_for_ms,
       (extract(epoch from clock_timestamp() - o.good_from) * 1000)::float8 as good_for_ms
     from endpoint_pacing p left join outages o on o.id = p.outage_id and o.state = 'open'
     where p.endpoint_id = any($1::uuid[]) order by p.endpoint_id`,
    [ids],
  );
  const agedMs = performance.now() - takenAtMs;
  const seen = rows.flatMap((row) => {
    const known = told.get(row.endpoint_id);
    if (!known) return [];
    const attempts = { ...known, trailingForMs: known.trailing > 0 ? known.trailingForMs + agedMs : 0 };
    const run = runAfter({ missed: row.missed, forMs: row.missed_for_ms }, attempts);
    return [{ row, attempts, run, spell: spellAfter(spellOf(row), attempts, rules) }];
  });
  await writeRuns(tx, seen);
  await writeSpells(
    tx,
    seen.flatMap(({ row: { outage_id: outageId }, ...each }) => (outageId ? [{ outageId, ...each }] : [])),
  );
  const opened: OutageChange[] = [];
  for (const { row, run } of seen)
    if (row.outage_id === null && isOutageByItself(run, rules)) {
      const change = await openOutage(tx, row.endpoint_id, 'not_delivered', rules);
      if (change) opened.push(change);
    }
  return opened;
}

function spellOf({ good, bad, good_for_ms: forMs }: ToldRow): GoodSpell | undefined {
  return good !== null && bad !== null && forMs !== null ? { good, bad, forMs } : undefined;
}

async function writeRuns(
  tx: Transaction,
  seen: { row: ToldRow; attempts: ToldAttempts; run: MissedRun }[],
): Promise<void> {
  const changed = seen.filter(({ row, attempts, run }) =>
    attempts.delivered > 0 ? row.missed + run.missed > 0 : attempts.trailing > 0,
  );
  if (changed.length === 0) return;
  await tx.query(
    `update endpoint_pacing p set missed = t.missed, missed_from = case
       -- The beginning of a run that goes on stays as it is: computed from its age it would move with each write.
       when t.missed > 0 then least(case when t.goes_on then p.missed_from end,
         clock_timestamp() - t.for_ms * interval '1 millisecond') end
     from unnest($1::uuid[], $2::int[], $3::float8[], $4::boolean[]) as t(id, missed, for_ms, goes_on)
     where p.endpoint_id = t.id`,
    [
      changed.map(({ row }) => row.endpoint_id),
      changed.map(({ run }) => run.missed),
      changed.map(({ run }) => run.forMs),
      changed.map(({ attempts }) => attempts.delivered === 0),
    ],
  );
}

async function writeSpells(
  tx: Transaction,
  seen: { outageId: Id<'outage'>; attempts: ToldAttempts; spell: GoodSpell | undefined }[],
): Promise<void> {
  if (seen.length === 0) return;
  await tx.query(
    `update outages o set good = t.good, bad = t.bad, quiet_since = clock_timestamp(),
       good_from = case when t.good > 0 then coalesce(o.good_from, clock_timestamp()) end,
       enabled_at = case when t.missed > 0 and t.good = 0 then null else o.enabled_at end
     from unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) as t(id, good, bad, missed)
     where o.id = t.id and o.state = 'open'`,
    [
      seen.map(({ outageId }) => outageId),
      seen.map(({ spell }) => spell?.good ?? 0),
      seen.map(({ spell }) => spell?.bad ?? 0),
      seen.map(({ attempts }) => attempts.missed),
    ],
  );
}

import { afterEach, expect, test } from '@jest/globals';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { migrate, pendingMigrations } from '../../../src/store/db/migrate.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { eventually } from '../../support/eventually.ts';
import {
  changedBySwitch,
  type Filled,
  forgetPicture,
  killWhileCopying,
  migrationsBefore,
  migrationsWithPicture,
  prepareBefore,
  TAKES_OVER,
} from '../../support/store/before-the-queue.ts';
import { accept, recordUnder, startEarlierHands, tryEarlierActs } from '../../support/store/earlier-hands.ts';
import { forbiddenChanges, readLedger, violationsOf } from '../../support/store/ledger.ts';
import { createTestDatabase, type TestDatabase, type TestPool } from '../../support/store/test-database.ts';
import { inTemporaryDirectory } from '../../support/temporary-directory.ts';

/** What an earlier version tries again, and never halts an operation for. */
const AWAY = '25006';

const databases: TestDatabase[] = [];

afterEach(() => Promise.all(databases.splice(0).map((database) => database.drop())));

/** A database of the version before the queue, with deliveries in every state. */
async function databaseBefore(deliveries: number): Promise<{ url: string; pool: TestPool; filled: Filled }> {
  const database = await createTestDatabase({ empty: true, max: 8 });
  databases.push(database);
  const { url, pool } = database;
  const filled = await prepareBefore(url, pool, deliveries);
  expect(violationsOf(await readLedger(pool))).toEqual([]);
  return { url, pool, filled };
}

test('executions are copied while the version before works on, killed once, and are the same behind the switch', async () => {
  const { url, pool, filled } = await databaseBefore(6_500);
  const hands = startEarlierHands(pool, filled, 3);
  await inTemporaryDirectory(async (path) => {
    const directory = await migrationsWithPicture(path);
    let batches = 0;
    const killed = migrate(url, {
      directory,
      onProgress: () => {
        batches += 1;
      },
    });
    const error = killed.then(
      () => undefined,
      (reason: { code?: string }) => reason.code ?? 'lost',
    );
    await eventually('two batches are copied', () => batches >= 2);
    await killWhileCopying(pool);
    expect(await error).toBeDefined();

    const { rows } = await pool.query<{ passed: string; left: boolean }>(
      'select passed, reached < upto as left from execution_copy',
    );
    expect(rows).toMatchObject([{ left: true }]);
    // The version before starts again, and this one waits.
    await inTemporaryDirectory(async (before) =>
      expect(await pendingMigrations(url, { directory: await migrationsBefore(before) })).toMatchObject({
        ok: true,
      }),
    );
    expect(await pendingMigrations(url, { directory })).toMatchObject({ ok: false });

    const passed: number[] = [];
    const resumed = await migrate(url, {
      directory,
      onProgress: (progress) => {
        if ('passed' in progress) passed.push(progress.passed);
      },
    });
    expect(resumed).toEqual({ ok: true, applied: [TAKES_OVER] });
    expect(passed[0]).toBeGreaterThan(Number(rows[0]?.passed));
  });

  // Each hand has worked up to the switch, and met what it takes for a server that is away.
  const { acts, errors } = await hands.done;
  expect(errors.filter(({ code }) => code !== AWAY)).toEqual([]);
  expect(Object.keys(acts)).toEqual(
    expect.arrayContaining(['claim live', 'record', 'freeze', 'acknowledge', 'cancel', 'hold', 'accept']),
  );
  expect(await changedBySwitch(pool)).toEqual([]);
  const counted = await pool.query(
    `select count(*) > 0 as some, count(*) filter (where open) = (select count(*) from queue) as queued,
       count(*) = (select count(*) from executions_before) as all_of_them from executions`,
  );
  expect(counted.rows).toEqual([{ some: true, queued: true, all_of_them: true }]);
  const { rows: misplaced } = await pool.query(
    `select id, generation, rank from (
       select id, generation, row_number() over (partition by delivery_id order by id) as rank from executions) r
     where generation <> rank limit 3`,
  );
  expect(misplaced).toEqual([]);
  expect(violationsOf(await readLedger(pool))).toEqual([]);
});

test('what a later switch looks through is prepared with the earlier one, and is not looked through behind that', async () => {
  const { url, pool } = await databaseBefore(40);
  expect(await migrate(url, { onlyPrepare: true })).toMatchObject({
    ok: true,
    prepared: TAKES_OVER,
    warnings: [expect.stringMatching(/^run migrate before \d{4}-\d\d-\d\d: ids that are later are refused/)],
  });
  const bounds = await pool.query(
    `select conrelid::regclass::text as of_table, convalidated as looked_at, to_regproc('prepare_weeks') as function
     from pg_constraint where conname ~ '_before$' order by 1`,
  );
  expect(bounds.rows).toEqual(
    ['attempts', 'payloads'].map((of_table) => ({ of_table, looked_at: true, function: null })),
  );
  const prepared: string[] = [];
  expect(
    await migrate(url, { onProgress: (step) => 'before' in step && prepared.push(step.before) }),
  ).toMatchObject({ ok: true });
  expect(prepared).toEqual([]);
  expect(violationsOf(await readLedger(pool))).toEqual([]);
});

test('behind the switch the version before begins nothing and finishes what it holds; the rest is settled when its leases end', async () => {
  const { url, pool, filled } = await databaseBefore(520);
  await inTemporaryDirectory(async (path) => {
    expect(await migrate(url, { directory: await migrationsWithPicture(path) })).toMatchObject({ ok: true });
  });
  await forgetPicture(pool);
  expect(await migrate(url)).toMatchObject({ ok: true });
  const before = await readLedger(pool);
  expect(await tryEarlierActs(pool, filled)).toEqual({
    'claim live': AWAY,
    'claim of the first': AWAY,
    'claim of the second': AWAY,
    freeze: AWAY,
    accept: AWAY,
    cancel: 'done',
    // What these had taken over begins again.
    'cancel what took over': AWAY,
    record: 'done',
    'record more': 'done',
    'record still more': 'done',
    acknowledge: 'done',
    resolve: 'done',
    'put off': 'done',
    hold: 'done',
  });
  const { rows: versions } = await pool.query(
    `select count(*) > 0 as held, count(*) filter (where q.target_version is distinct from r.target_version)::int as different
     from queue q join execution_records r on r.id = q.execution_id
     where q.target_version is not null or r.target_version is not null`,
  );
  expect(versions).toEqual([{ held: true, different: 0 }]);
  const finished = await readLedger(pool);
  expect(violationsOf(finished)).toEqual([]);
  expect(forbiddenChanges(before, finished)).toEqual([]);
  expect(finished.claims.length).toBeLessThan(before.claims.length);

  const sending = finished.executions.filter(({ state }) => state === 'sending').length;
  expect(sending).toBeGreaterThan(0);
  await pool.query(`update claims set lease_until = clock_timestamp() - interval '1 second'`);
  expect(await settleExpiredClaims(pool)).toBe(sending);
  const after = await readLedger(pool);
  expect(after.claims).toEqual([]);
  expect(after.executions.filter(({ state }) => state === 'sending')).toEqual([]);
  expect(violationsOf(after)).toEqual([]);
});

test('an outcome that the version before tells late, of what was settled meanwhile, changes nothing and ends', async () => {
  const { url, pool } = await databaseBefore(130);
  expect(await migrate(url)).toMatchObject({ ok: true });
  await pool.query(`update claims set lease_until = clock_timestamp() - interval '1 second'`);
  const { rows } = await pool.query<{ token: string }>('select token from claims');
  await settleExpiredClaims(pool);
  const before = await readLedger(pool);
  for (const { token } of rows) await recordUnder(pool, token);
  expect(await readLedger(pool)).toEqual(before);
});

test('a vacuum of the table is waited for by the migration alone', async () => {
  const { url, pool, filled } = await databaseBefore(130);
  for (const onlyPrepare of [true, false]) {
    const vacuum = await pool.connect();
    try {
      await vacuum.query('begin; lock table executions in share update exclusive mode');
      const migrated = migrate(url, { onlyPrepare });
      await eventually('the migration waits', async () => {
        const { rows } = await pool.query(
          `select from pg_locks where relation = to_regclass('executions') and mode = 'ShareUpdateExclusiveLock'
             and not granted`,
        );
        return rows.length === 1;
      });
      await withTransaction(pool, async (tx) => {
        await tx.query(`set local lock_timeout = '100ms'`);
        await accept(tx, filled);
      });
      await vacuum.query('commit');
      expect(await migrated).toMatchObject({ ok: true });
    } finally {
      vacuum.release(true);
    }
  }
});

test('who looks at the table is waited for in short tries, between which others write, without another check', async () => {
  const { url, pool, filled } = await databaseBefore(130);
  expect(await migrate(url, { onlyPrepare: true })).toMatchObject({ ok: true, prepared: TAKES_OVER });
  const reader = await pool.connect();
  const begunAgain: string[] = [];
  try {
    await reader.query('begin; select from executions limit 1');
    const migrated = migrate(url, {
      onProgress: (progress) => {
        if ('waitsFor' in progress) begunAgain.push(progress.waitsFor);
      },
    });
    for (let tries = 0; tries < 2; tries++) {
      await eventually('the migration waits', async () => {
        const { rows } = await pool.query(
          `select from pg_locks where relation = to_regclass('executions') and mode = 'AccessExclusiveLock'
             and not granted`,
        );
        return rows.length === 1;
      });
      // Waits for no longer than the try: the reader still looks.
      await withTransaction(pool, (tx) => accept(tx, filled));
    }
    await reader.query('commit');
    expect(await migrated).toMatchObject({ ok: true });
  } finally {
    reader.release(true);
  }
  expect(begunAgain).toEqual([]);
  expect(violationsOf(await readLedger(pool))).toEqual([]);
});

test('a copy that lacks something is refused, and the table stays', async () => {
  const { url, pool } = await databaseBefore(130);
  expect(await migrate(url, { onlyPrepare: true })).toMatchObject({ ok: true, prepared: TAKES_OVER });
  await pool.query(
    `delete from queue where execution_id in (select id from executions where state = 'queued' limit 1)`,
  );
  await expect(migrate(url)).rejects.toMatchObject({ code: 'RD013' });
  const { rows } = await pool.query(`select relkind from pg_class where oid = 'executions'::regclass`);
  expect(rows).toEqual([{ relkind: 'r' }]);
});

import { randomUUID } from 'node:crypto';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { firstIdAt, weekOf, weeksAhead } from '../../../src/domain/partitions/weeks.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { describeWait } from '../../../src/store/db/batches.ts';
import { migrate } from '../../../src/store/db/migrate.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { makeWeek, readWeeks } from '../../../src/store/partitions/week-partitions.ts';
import { insertEndpointVersion } from '../../../src/store/tenancy/endpoint-versions.ts';
import { insertEndpoint } from '../../../src/store/tenancy/endpoints.ts';
import { insertTenant } from '../../../src/store/tenancy/tenants.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { eventually } from '../../support/eventually.ts';
import { idOf } from '../../support/partitions/id-of.ts';
import { WEEK_MS } from '../../support/partitions/weeks.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';
import { ENDPOINT } from '../../support/store/test-store.ts';
import { inTemporaryDirectory } from '../../support/temporary-directory.ts';

const MIGRATIONS = new URL('../../../migrations/', import.meta.url);
const BEFORE_WEEKS = '0029-before-weeks.sql';
const BY_WEEK = '0030-by-week.sql';
/** What follows the conversion. */
const BEHIND = ['0031-refuse-closed-weeks.sql', '0032-expiry.sql'];

const databases: TestDatabase[] = [];

afterEach(() => Promise.all(databases.splice(0).map((database) => database.drop())));

/** Migrates by the files up to one. */
async function migrateUpTo(url: string, last: (name: string) => boolean): ReturnType<typeof migrate> {
  return inTemporaryDirectory(async (path) => {
    for (const name of await readdir(MIGRATIONS))
      if (/^\d{4}-/.test(name) && last(name)) await copyFile(new URL(name, MIGRATIONS), join(path, name));
    return migrate(url, { directory: pathToFileURL(`${path}/`) });
  });
}

/** A database of the version before, with failed deliveries. */
async function before(count = 300): Promise<TestDatabase & { tenantId: Id<'tenant'> }> {
  const database = await createTestDatabase({ empty: true, max: 6 });
  databases.push(database);
  const { pool, url } = database;
  expect(await migrateUpTo(url, (name) => name < BEFORE_WEEKS)).toMatchObject({ ok: true });
  const tenant = await insertTenant(pool, { handle: 'acme' });
  if (tenant === undefined) throw new Error('the database is not empty');
  const endpointId = randomUUID() as Id<'endpoint'>;
  await withTransaction(pool, async (tx) => {
    await insertEndpoint(tx, tenant.id, { id: endpointId, handle: 'in' });
    await insertEndpointVersion(tx, tenant.id, endpointId, 1, ENDPOINT);
  });
  await seedFailures(pool, { tenantId: tenant.id, endpointIds: [endpointId], count });
  return { ...database, tenantId: tenant.id };
}

/** What the two tables hold, of which nothing may be lost. */
async function contents({ pool }: TestDatabase): Promise<object> {
  const { rows } = await pool.query(
    `select (select jsonb_agg(to_jsonb(p) order by p.event_id) from payloads p) as payloads,
       (select jsonb_agg(to_jsonb(a) order by a.execution_id, a.number) from attempts a) as attempts`,
  );
  return rows[0];
}

async function expectConverted(database: TestDatabase): Promise<void> {
  for (const table of ['payloads', 'attempts']) {
    const state = await readWeeks(database.pool, table);
    expect(state?.partitions.map(({ name }) => name)).toContain(`${table}_before`);
    expect(weeksAhead(state?.partitions ?? [], state?.nowMs ?? 0)).toBeGreaterThanOrEqual(5);
  }
  const { rows } = await database.pool.query(
    `select conrelid::regclass::text as of_table, conname from pg_constraint
     where conrelid in ('payloads'::regclass, 'payloads_before'::regclass) and contype <> 'n' order by 1, 2`,
  );
  expect(rows).toEqual([
    { of_table: 'payloads', conname: 'payloads_pkey' },
    { of_table: 'payloads_before', conname: 'payloads_before_pkey' },
  ]);
  expect(violationsOf(await readLedger(database.pool))).toEqual([]);
}

test('tables with rows become the oldest partitions as they are, without a look at their rows', async () => {
  const database = await before();
  const { pool, url } = database;
  await pool.query('alter table attempts set (autovacuum_vacuum_scale_factor = 0.07)');
  await pool.query(
    `do $$ begin create role redrive_reader; exception when duplicate_object then null; end $$`,
  );
  await pool.query('grant select on attempts to redrive_reader');
  const had = await contents(database);
  const files = (await pool.query(`select relfilenode from pg_class where relname = 'payloads'`)).rows;
  expect(await migrate(url, { onlyPrepare: true })).toEqual({
    ok: true,
    applied: [BEFORE_WEEKS],
    prepared: BY_WEEK,
    warnings: [expect.stringMatching(/^run migrate before \d{4}-\d\d-\d\d: ids that are later are refused/)],
  });
  const client = new pg.Client({ connectionString: url });
  const notices: string[] = [];
  client.on('notice', ({ message }) => notices.push(message ?? ''));
  await client.connect();
  try {
    await client.query('set client_min_messages = debug1; begin');
    await client.query(await readFile(new URL(BY_WEEK, MIGRATIONS), 'utf8'));
    await client.query('rollback');
  } finally {
    await client.end();
  }
  for (const table of ['payloads_before', 'attempts_before'])
    expect(notices).toContain(`partition constraint for table "${table}" is implied by existing constraints`);
  expect(await migrate(url)).toEqual({ ok: true, applied: [BY_WEEK, ...BEHIND] });
  expect(await contents(database)).toEqual(had);
  await expectConverted(database);
  expect(
    (await pool.query(`select relfilenode from pg_class where relname = 'payloads_before'`)).rows,
  ).toEqual(files);
  await withTransaction(pool, (tx) => makeWeek(tx, 'attempts', weekOf(Date.now() + 20 * WEEK_MS)));
  const { rows } = await pool.query(
    `select relname ~ 'before' as oldest, reloptions, has_table_privilege('redrive_reader', 'attempts', 'select') as granted
     from pg_class where relname ~ '^attempts_(before|\\d{8})$' group by 1, 2`,
  );
  expect(rows.sort((a, b) => Number(a.oldest) - Number(b.oldest))).toEqual(
    [false, true].map((oldest) => ({
      oldest,
      reloptions: ['autovacuum_vacuum_scale_factor=0.07'],
      granted: true,
    })),
  );
  await pool.query('drop owned by redrive_reader');
});

test('what hangs on the tables and stays behind with their oldest partitions is named', async () => {
  const database = await before(3);
  await database.pool.query('create view bodies as select body from payloads');
  await database.pool.query('create index attempts_by_time on attempts (started_at)');
  expect(await migrate(database.url)).toMatchObject({
    ok: true,
    warnings: [
      'make these anew, for they are of what the tables were before: the index attempts_by_time of attempts, the view bodies',
    ],
  });
});

test('an id of a clock that was months ahead stays in the oldest partition, and somebody is told', async () => {
  const database = await before(3);
  const ahead = idOf(Date.now() + 10 * WEEK_MS);
  await database.pool.query(`insert into payloads (event_id, tenant_id, body) values ($1, $2, '{}')`, [
    ahead,
    database.tenantId,
  ]);
  const result = await migrate(database.url);
  expect(result).toMatchObject({
    ok: true,
    applied: [BEFORE_WEEKS, BY_WEEK, ...BEHIND],
    warnings: [expect.stringMatching(/^the newest id of payloads is of /)],
  });
  const { rows } = await database.pool.query('select event_id from payloads_before where event_id = $1', [
    ahead,
  ]);
  expect(rows).toHaveLength(1);
  await expectConverted(database);
});

test.each([0, 1, 2, 3, 4])(
  'killed behind step %i, it goes on, and the version before works on',
  async (steps) => {
    const database = await before(20);
    const { pool, url } = database;
    expect(await migrateUpTo(url, (name) => name <= BEFORE_WEEKS)).toMatchObject({ ok: true });
    let done = false;
    for (let step = 0; step < steps; step += 1) {
      const { rows } = await pool.query('select done from prepare_weeks(100)');
      done = rows[0].done;
    }
    // A constraint, and a look at the rows, for each of the two.
    expect(done).toBe(false);
    await pool.query(`insert into payloads (event_id, tenant_id, body) values (uuidv7(), $1, '{}')`, [
      database.tenantId,
    ]);
    const had = await contents(database);
    expect(await migrate(url)).toEqual({ ok: true, applied: [BY_WEEK, ...BEHIND] });
    expect(await contents(database)).toEqual(had);
    await expectConverted(database);
  },
);

test('whoever waits for the switch is told by which day it has to be', async () => {
  const { url } = await before(3);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    expect(await describeWait(client, BEFORE_WEEKS)).not.toContain('later ids');
    const prepared = await migrate(url, { onlyPrepare: true });
    const [warning = ''] = (prepared.ok && prepared.warnings) || [];
    const [day] = /\d{4}-\d\d-\d\d/.exec(warning) ?? [];
    expect(await describeWait(client, BY_WEEK)).toContain(`before ${day}: later ids are refused`);
    await migrate(url);
    expect(await describeWait(client, 'another')).not.toContain('later ids');
  } finally {
    await client.end();
  }
});

test('what was prepared so long ago that ids come near the bound is prepared once more', async () => {
  const database = await before(3);
  const { pool, url } = database;
  expect(await migrate(url, { onlyPrepare: true })).toMatchObject({ prepared: BY_WEEK });
  await pool.query(`alter table payloads drop constraint payloads_before,
    add constraint payloads_before check (event_id < '${firstIdAt(Date.now() + WEEK_MS)}')`);
  expect(await migrate(url)).toEqual({ ok: true, applied: [BY_WEEK, ...BEHIND] });
  await expectConverted(database);
});

test('statements that the version before has prepared go on across the switch', async () => {
  const database = await before(200);
  const { pool, url } = database;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let working = true;
  let rounds = 0;
  const kept: string[] = [];
  const statement = (name: string, text: string, values: unknown[]) => client.query({ name, text, values });
  const works = (async () => {
    while (working) {
      const { rows } = await statement(
        'in',
        `insert into payloads (event_id, tenant_id, body) values (uuidv7(), $1, '{}') returning event_id`,
        [database.tenantId],
      );
      const id = rows[0].event_id;
      await statement(
        'tried',
        `insert into attempts (execution_id, number, tenant_id, started_at, duration_ms, outcome)
         values ($1, 1, $2, now(), 5, 'delivered') on conflict do nothing`,
        [id, database.tenantId],
      );
      const read = await statement('out', 'select * from payloads where event_id = any($1::uuid[])', [[id]]);
      const attempts = await statement('told', 'select * from attempts where execution_id = $1', [id]);
      if (read.rows.length !== 1 || attempts.rows.length !== 1) throw new Error('a row is not there');
      if (rounds % 2 === 0) await statement('gone', 'delete from payloads where event_id = $1', [id]);
      else kept.push(id);
      await client.query('begin');
      await statement('held', 'select from payloads order by event_id limit 1 for update skip locked', []);
      await client.query('commit');
      rounds += 1;
    }
  })();
  await eventually('it works', () => rounds > 5);
  expect(await migrate(url)).toMatchObject({ ok: true });
  const behind = rounds;
  await eventually('it works on', () => rounds > behind + 5);
  working = false;
  await works;
  await client.end();
  const { rows } = await pool.query(
    'select count(*)::int as n from payloads where event_id = any($1::uuid[])',
    [kept],
  );
  expect(rows).toEqual([{ n: kept.length }]);
  // They are of no execution.
  await pool.query(
    'delete from attempts a where not exists (select from executions e where e.id = a.execution_id)',
  );
  await expectConverted(database);
});

test('the switch waits for who uses a table, who waits for nothing meanwhile', async () => {
  const database = await before(20);
  const { pool, url } = database;
  const holder = await pool.connect();
  try {
    await holder.query('begin; select from attempts limit 1');
    let waited = 0;
    const migrated = migrate(url, {
      onProgress: (progress) => {
        if ('waitsFor' in progress) waited += 1;
      },
    });
    await eventually('the switch has been refused', () => waited >= 2);
    await pool.query(`insert into payloads (event_id, tenant_id, body) values (uuidv7(), $1, '{}')`, [
      database.tenantId,
    ]);
    await holder.query('commit');
    expect(await migrated).toMatchObject({ ok: true });
  } finally {
    holder.release(true);
  }
  await expectConverted(database);
});

import { readdir } from 'node:fs/promises';
import { afterEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate, pendingMigrations } from '../../../src/store/db/migrate.ts';
import { dumpSchema } from '../../../src/store/db/schema-dump.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';

/** The files that made the schema before they were written by subject, as they were. */
const EARLIER = new URL('../../fixtures/schema-of-november/', import.meta.url);
const databases: TestDatabase[] = [];

afterEach(() => Promise.all(databases.splice(0).map((database) => database.drop())));

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase({ empty: true });
  databases.push(database);
  return database;
}

async function dumpOf({ url }: TestDatabase): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await dumpSchema(client);
  } finally {
    await client.end();
  }
}

/** A dump in which the columns of each table stand in the order of their names. */
function withoutColumnOrder(dump: string): string {
  return dump.replace(
    /create table (\S+) \(\n([\s\S]*?)\n\)/g,
    (_, table: string, columns: string) =>
      `create table ${table} (\n${columns.split(',\n').sort().join(',\n')}\n)`,
  );
}

/** The files that follow those by subject: an adopted database gets them as every other one does. */
async function filesSinceThen(): Promise<string[]> {
  const files = await readdir(new URL('../../../migrations/', import.meta.url));
  return files.filter((file) => /^\d{4}-/.test(file) && file > '0007').sort();
}

test('a database of the earlier files is taken over with its rows, and is what the files by subject make', async () => {
  const earlier = await emptyDatabase();
  expect(await migrate(earlier.url, { directory: EARLIER })).toMatchObject({ ok: true });
  await earlier.pool.query(`insert into tenants (handle) values ('acme')`);
  await earlier.pool.query(
    `insert into endpoints (tenant_id, handle) select id, 'in' from tenants where handle = 'acme'`,
  );
  expect(await pendingMigrations(earlier.url)).toMatchObject({ ok: false });
  // All of them at once, as replicas start.
  const results = await Promise.all(Array.from({ length: 3 }, () => migrate(earlier.url)));
  const applied = results.flatMap((result) => (result.ok ? result.applied : [result.problem]));
  // Another process may go on with the files behind.
  expect(applied.sort()).toEqual([...(await filesSinceThen()), 'the changes since 0.1.0']);
  expect(await pendingMigrations(earlier.url)).toEqual({ ok: true, applied: [] });
  const { rows } = await earlier.pool.query(
    'select t.handle, n.handle as endpoint from tenants t join endpoints n on n.tenant_id = t.id',
  );
  expect(rows).toEqual([{ handle: 'acme', endpoint: 'in' }]);

  const fresh = await emptyDatabase();
  await migrate(fresh.url);
  expect(withoutColumnOrder(await dumpOf(earlier))).toBe(withoutColumnOrder(await dumpOf(fresh)));
});

test('a database that is older than the last of the earlier files is refused by the name of what it lacks', async () => {
  const older = await emptyDatabase();
  await migrate(older.url, { directory: EARLIER });
  await older.pool.query(`delete from schema_migrations where name > '0012'`);
  expect(await migrate(older.url)).toMatchObject({
    ok: false,
    problem: expect.stringMatching(/it lacks 0012-unknown-is-a-state\.sql\. Start Redrive 0\.1\.0 once/),
  });
});

test('a database of the earlier files that somebody changed by hand is refused, and stays as it is', async () => {
  const changed = await emptyDatabase();
  await migrate(changed.url, { directory: EARLIER });
  await changed.pool.query('alter table tenants add column own text');
  expect(await migrate(changed.url)).toMatchObject({
    ok: false,
    problem: expect.stringMatching(/changed it by hand/),
  });
  const { rows } = await changed.pool.query('select count(*)::int as files from schema_migrations');
  expect(rows).toEqual([{ files: (await readdir(EARLIER)).length }]);
});

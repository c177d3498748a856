import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { migrate, pendingMigrations } from '../../../src/store/db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';
import { inTemporaryDirectory } from '../../support/temporary-directory.ts';

const FIRST = { '0001-first.sql': 'create table runs (n int); insert into runs values (1);' };
const SECOND = { '0002-second.sql': 'insert into runs values (2);' };

test('of four migrators at once each migration is run by one', async () => {
  await withMigrations({ ...FIRST, ...SECOND }, async ({ database, directory }) => {
    const results = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url, { directory })));
    expect(results.every((result) => result.ok)).toBe(true);
    const applied = results.flatMap((result) => (result.ok ? result.applied : []));
    expect(applied.sort()).toEqual(['0001-first.sql', '0002-second.sql']);
    expect((await database.pool.query('select n from runs order by n')).rows).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

test('a migration that fails leaves nothing of itself, and all before it', async () => {
  await withMigrations(
    { ...FIRST, '0002-bad.sql': 'insert into runs values (2); select 1 / 0;' },
    async ({ database, directory }) => {
      await expect(migrate(database.url, { directory })).rejects.toThrow('division by zero');
      expect((await database.pool.query('select n from runs')).rows).toEqual([{ n: 1 }]);
    },
  );
});

test('a file that was edited after it was applied is refused', async () => {
  await withMigrations(FIRST, async ({ database, directory, write }) => {
    await migrate(database.url, { directory });
    await write({ '0001-first.sql': 'create table runs (n bigint);', ...SECOND });
    expect(await migrate(database.url, { directory })).toEqual({
      ok: false,
      problem:
        'The migration 0001-first.sql was edited after it had been applied: restore the file, and put the change into a new migration.',
    });
    expect((await database.pool.query('select n from runs')).rows).toEqual([{ n: 1 }]);
  });
});

test('other line ends are no edit', async () => {
  await withMigrations(
    { '0001-first.sql': 'create table runs (\n  n int\n);\n' },
    async ({ database, directory, write }) => {
      await migrate(database.url, { directory });
      await write({ '0001-first.sql': 'create table runs (\r\n  n int\r\n);\r\n' });
      expect(await migrate(database.url, { directory })).toEqual({ ok: true, applied: [] });
    },
  );
});

test('a database of a newer version is left alone', async () => {
  await withMigrations({ ...FIRST, ...SECOND }, async ({ database, directory }) => {
    await migrate(database.url, { directory });
    await inTemporaryDirectory(async (older) => {
      await writeFile(join(older, '0001-first.sql'), FIRST['0001-first.sql']);
      expect(await migrate(database.url, { directory: pathToFileURL(`${older}/`) })).toMatchObject({
        ok: false,
        problem: expect.stringMatching(
          /^This database has the migration 0002-second\.sql, which this version of Redrive does not know/,
        ),
      });
    });
  });
});

test('a role starts on the schema of a later version, unless that says what it needs', async () => {
  await withMigrations({ ...FIRST, ...SECOND }, async ({ database, directory, write }) => {
    await migrate(database.url, { directory });
    await inTemporaryDirectory(async (path) => {
      const older = pathToFileURL(`${path}/`);
      await writeFile(join(path, '0001-first.sql'), FIRST['0001-first.sql']);
      expect(await pendingMigrations(database.url, { directory: older })).toEqual({
        ok: true,
        applied: [],
        warnings: [expect.stringMatching(/migrated for a later version \(0002-second\.sql\)/)],
      });
      // The version that knows the second file may run on the third, and this one may not.
      await write({
        '0003-third.sql': '-- Why: what nobody reads goes.\n-- Needs: 0002-second.sql\ndrop table runs;',
      });
      await migrate(database.url, { directory });
      expect(await pendingMigrations(database.url, { directory: older })).toMatchObject({
        ok: false,
        problem: expect.stringMatching(/^This database has the migration 0003-third\.sql/),
      });
      await writeFile(join(path, '0002-second.sql'), SECOND['0002-second.sql']);
      expect(await pendingMigrations(database.url, { directory: older })).toMatchObject({ ok: true });
    });
  });
});

test('a migration numbered before one that was applied is refused, and so is a number that is used twice', async () => {
  await withMigrations(
    { '0001-first.sql': FIRST['0001-first.sql'], '0003-third.sql': 'select 3;' },
    async ({ database, directory, write }) => {
      await migrate(database.url, { directory });
      await write(SECOND);
      expect(await migrate(database.url, { directory })).toMatchObject({
        problem:
          'The migration 0002-second.sql comes before 0003-third.sql, which has already been applied: give it the next free number.',
      });
      await write({ '0003-other.sql': 'select 3;' });
      expect(await migrate(database.url, { directory })).toMatchObject({
        problem: expect.stringMatching(/^Two migrations have the number 0003/),
      });
    },
  );
});

test('a role that may not migrate is told what is missing, and changes nothing', async () => {
  await withMigrations(FIRST, async ({ database, directory }) => {
    expect(await pendingMigrations(database.url, { directory })).toEqual({
      ok: false,
      problem: 'The database lacks the migration 0001-first.sql: run `node dist/main.js migrate` first.',
    });
    await migrate(database.url, { directory });
    expect(await pendingMigrations(database.url, { directory })).toEqual({ ok: true, applied: [] });
  });
});

type Scene = { database: TestDatabase; directory: URL; write(files: Record<string, string>): Promise<void> };

async function withMigrations(
  files: Record<string, string>,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const database = await createTestDatabase({ empty: true });
  try {
    await inTemporaryDirectory(async (path) => {
      const write = async (contents: Record<string, string>) => {
        for (const [name, sql] of Object.entries(contents)) await writeFile(join(path, name), sql);
      };
      await write(files);
      await act({ database, directory: pathToFileURL(`${path}/`), write });
    });
  } finally {
    await database.drop();
  }
}

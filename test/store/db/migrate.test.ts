import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { migrate, pendingMigrations } from '../../../src/store/db/migrate.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { eventually } from '../../support/eventually.ts';
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

describe('on the schema of a later version', () => {
  const LATER = /migrated for a later version \(0002-second\.sql\)/;
  const ways = [
    { title: 'a role starts', act: pendingMigrations },
    { title: 'the migration of a deploy that is taken back ends well, and changes nothing,', act: migrate },
  ];

  test.each(ways)('$title unless that says what it needs', async ({ act }) => {
    await withMigrations({ ...FIRST, ...SECOND }, async ({ database, directory, write }) => {
      await migrate(database.url, { directory });
      await inTemporaryDirectory(async (path) => {
        const older = pathToFileURL(`${path}/`);
        await writeFile(join(path, '0001-first.sql'), FIRST['0001-first.sql']);
        expect(await act(database.url, { directory: older })).toEqual({
          ok: true,
          applied: [],
          warnings: [expect.stringMatching(LATER)],
        });
        // The version that knows the second file may run on the third, and this one may not.
        await write({
          '0003-third.sql': '-- Why: what nobody reads goes.\n-- Needs: 0002-second.sql\ndrop table runs;',
        });
        await migrate(database.url, { directory });
        expect(await act(database.url, { directory: older })).toMatchObject({
          ok: false,
          problem: expect.stringMatching(
            /^This database has the migration 0003-third\.sql, which this version of Redrive does not know/,
          ),
        });
        await writeFile(join(path, '0002-second.sql'), SECOND['0002-second.sql']);
        expect(await act(database.url, { directory: older })).toMatchObject({ ok: true });
        expect(await pendingMigrations(database.url, { directory })).toEqual({ ok: true, applied: [] });
      });
    });
  });

  test.each(ways)('$title unless a file of its own would come behind it', async ({ act }) => {
    await withMigrations({ ...FIRST, '0003-third.sql': 'select 3;' }, async ({ database, directory }) => {
      await migrate(database.url, { directory });
      await inTemporaryDirectory(async (path) => {
        for (const [name, sql] of Object.entries({ ...FIRST, ...SECOND }))
          await writeFile(join(path, name), sql);
        expect(await act(database.url, { directory: pathToFileURL(`${path}/`) })).toMatchObject({
          ok: false,
          problem: expect.stringMatching(
            /^The migration 0002-second\.sql comes before 0003-third\.sql, which has already been applied/,
          ),
        });
        expect((await database.pool.query('select n from runs')).rows).toEqual([{ n: 1 }]);
      });
    });
  });
});

test.each([
  ['-- Needs:  0001-first.sql', 'two blanks'],
  ['-- Needs: 0001-first.sql.', 'a full stop'],
  ['-- Needs 0001-first.sql', 'no colon'],
  ['-- needs: 0001-first.sql', 'a small letter'],
  [' -- Needs: 0001-first.sql', 'an indent'],
  ['-- Needs: 0001-frist.sql', 'a file that there is not'],
  ['-- Needs: 0002-second.sql', 'itself'],
  ['-- Needs: 0001-first.sql\n-- Needs: 0001-first.sql', 'two lines'],
])('a need that nothing could be told from is refused before anything is done: %j', async (line) => {
  const files = { ...FIRST, '0002-second.sql': `${line}\nselect 2;` };
  await withMigrations(files, async ({ database, directory }) => {
    expect(await migrate(database.url, { directory })).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/^The migration 0002-second\.sql says "-- needs/i),
    });
    const { rows } = await database.pool.query(`select to_regclass('runs') as runs`);
    expect(rows).toEqual([{ runs: null }]);
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

/** Rows that are copied in batches before the second file takes over. */
const COPIED = {
  '0001-first.sql': `create table runs (n int);
    insert into runs select generate_series(1, 1200);
    create table copies (n int);
    create function copy_runs(at_most int, out passed bigint, out expected bigint, out done boolean) language plpgsql as $$
    begin
      done := (select count(*) = 1200 from copies);
      insert into copies select r.n from runs r where r.n > (select count(*) from copies) order by r.n limit at_most;
      select count(*), 1200 into passed, expected from copies;
    end $$;`,
  '0002-second.sql': '-- Behind: copy_runs\ndrop table runs; alter table copies rename to runs;',
};

test('what a file has copied before it is copied in batches, told, and gone on with by whoever comes next', async () => {
  await withMigrations(COPIED, async ({ database, directory }) => {
    const passed: number[] = [];
    const dying = migrate(database.url, {
      directory,
      onProgress: (progress) => {
        if ('passed' in progress) passed.push(progress.passed);
        throw new Error('the process is killed');
      },
    });
    await expect(dying).rejects.toThrow('killed');
    expect(passed).toEqual([500]);
    const options = {
      directory,
      onProgress: (progress: object) => passed.push('passed' in progress ? Number(progress.passed) : -1),
    };
    expect(await migrate(database.url, { ...options, onlyPrepare: true })).toEqual({
      ok: true,
      applied: [],
      prepared: '0002-second.sql',
    });
    expect(passed.at(1)).toBe(1_000);
    expect(passed.at(-1)).toBe(1_200);
    expect(await pendingMigrations(database.url, { directory })).toMatchObject({ ok: false });
    const results = await Promise.all([migrate(database.url, options), migrate(database.url, options)]);
    expect(results.flatMap((result) => (result.ok ? result.applied : []))).toEqual(['0002-second.sql']);
    expect((await database.pool.query('select count(*)::int as n from runs')).rows).toEqual([{ n: 1_200 }]);
  });
});

test.each([
  '-- Behind:  copy_runs',
  '-- behind: copy_runs',
  '-- Behind: copy runs',
  '-- Behind: a\n-- Behind: b',
])('a copy that nobody would make is refused before anything is done: %j', async (line) => {
  await withMigrations(
    { ...FIRST, '0002-second.sql': `${line}\nselect 2;` },
    async ({ database, directory }) => {
      expect(await migrate(database.url, { directory })).toMatchObject({
        ok: false,
        problem: expect.stringMatching(/^The migration 0002-second\.sql says "-- behind/i),
      });
    },
  );
});

test('a file that does not get a table at once lets those behind it go first, and comes again', async () => {
  await withMigrations(FIRST, async ({ database, directory, write }) => {
    await migrate(database.url, { directory });
    await write({ '0002-second.sql': 'alter table runs add column at timestamptz;' });
    const { pool } = database;
    const waits: object[] = [];
    let migrating: Promise<unknown> = Promise.resolve();
    await withTransaction(pool, async (reader) => {
      await reader.query('select from runs');
      migrating = migrate(database.url, { directory, onProgress: (progress) => waits.push(progress) });
      await eventually('the migration stands in the way of others', async () => {
        const { rows } = await pool.query(
          `select from pg_locks where relation = 'runs'::regclass and not granted`,
        );
        return rows.length > 0;
      });
      await pool.query('insert into runs values (2)');
      await eventually('it has said so', () => waits.length > 0);
    });
    expect(await migrating).toEqual({ ok: true, applied: ['0002-second.sql'] });
    expect(waits[0]).toEqual({ waitsFor: '0002-second.sql' });
    expect((await pool.query('select n, at from runs order by n')).rows).toEqual([
      { n: 1, at: null },
      { n: 2, at: null },
    ]);
  });
});

test('a server that is too old is named, and nothing is done there', async () => {
  await withMigrations(FIRST, async ({ database, directory }) => {
    // What this server says of itself, in the place of its own function.
    await database.pool.query(`create schema old;
      create function old.current_setting(name text) returns text language sql return
        case name when 'server_version_num' then '150013' else '15.13' end`);
    const url = new URL(database.url);
    url.searchParams.set('options', '-c search_path=old,pg_catalog,public');
    for (const act of [migrate, pendingMigrations])
      expect(await act(url.href, { directory })).toEqual({
        ok: false,
        problem:
          'Redrive needs Postgres 16 or newer and this server is 15.13: upgrade it, or point DATABASE_URL to another one.',
      });
    const { rows } = await database.pool.query(`select to_regclass('old.schema_migrations') as made`);
    expect(rows).toEqual([{ made: null }]);
  });
});

test('a time limit that the database has for statements ends no step', async () => {
  await withMigrations({ '0001-long.sql': 'select pg_sleep(0.3);' }, async ({ database, directory }) => {
    const name = new URL(database.url).pathname.slice(1);
    await database.pool.query(`alter database ${name} set statement_timeout = '100ms'`);
    expect(await migrate(database.url, { directory })).toMatchObject({
      ok: true,
      applied: ['0001-long.sql'],
    });
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

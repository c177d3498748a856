import { chmod, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../src/config/config.ts';
import { type Parts, startEmbeddedParts } from '../../src/embedded/embedded-parts.ts';
import { processesWithArguments } from '../../src/embedded/own-processes.ts';
import { type Report, silentReport } from '../../src/embedded/steps.ts';
import { startChildScript } from '../support/child-script.ts';
import { eventually } from '../support/eventually.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const CHILD = new URL('child/embedded-parts.ts', import.meta.url);
const TIMEOUT_MS = 60_000;

test(
  'a stop leaves no process, and the next start finds the data and the same master key',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const first = await start(directory);
      await query(first.databaseUrl, 'create table kept as select 42 as answer');
      expect(await serversOf(directory)).toHaveLength(2);
      await first.stop();
      expect(await serversOf(directory)).toEqual([]);

      const second = await start(directory);
      expect(await query(second.databaseUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
      expect(second.masterKey).toEqual(first.masterKey);
      await second.stop();
      expect(await serversOf(directory)).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

test(
  'after its parent was killed the next start ends what is left and has all that was committed',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const child = startChildScript(CHILD, { env: { REDRIVE_DATA_DIR: directory } });
      const { databaseUrl } = JSON.parse(await child.firstLine) as { databaseUrl: string };
      await query(databaseUrl, 'create table kept as select 42 as answer');
      child.process.kill('SIGKILL');
      await child.ended;
      const orphans = await serversOf(directory);
      expect(orphans).toHaveLength(2);

      const next = await start(directory);
      try {
        const servers = await serversOf(directory);
        expect(servers).toHaveLength(2);
        expect(servers.filter((pid) => orphans.includes(pid))).toEqual([]);
        expect(await query(next.databaseUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
      } finally {
        await next.stop();
      }
      expect(await serversOf(directory)).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

test(
  'killed together with its servers, it starts again',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const child = startChildScript(CHILD, { env: { REDRIVE_DATA_DIR: directory } });
      const { databaseUrl } = JSON.parse(await child.firstLine) as { databaseUrl: string };
      await query(databaseUrl, 'create table kept as select 42 as answer');
      child.process.kill('SIGKILL');
      for (const pid of await serversOf(directory)) process.kill(pid, 'SIGKILL');
      await child.ended;

      const next = await start(directory);
      expect(await query(next.databaseUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
      await next.stop();
    });
  },
  TIMEOUT_MS,
);

test(
  'two copies run side by side on data directories of their own',
  async () => {
    await inTemporaryDirectory(async (one) => {
      await inTemporaryDirectory(async (other) => {
        const copies = await Promise.all([start(one), start(other)]);
        const [first, second] = copies;
        expect(new URL(first.databaseUrl).port).not.toBe(new URL(second.databaseUrl).port);
        expect(first.temporal.address).not.toBe(second.temporal.address);
        await query(first.databaseUrl, 'create table mine ()');
        expect(await query(second.databaseUrl, `select to_regclass('mine') as mine`)).toEqual([
          { mine: null },
        ]);
        await Promise.all(copies.map((copy) => copy.stop()));
      });
    });
  },
  TIMEOUT_MS,
);

test(
  'a second copy on the same data directory gets one sentence, and the first goes on',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const child = startChildScript(CHILD, { env: { REDRIVE_DATA_DIR: directory } });
      const { databaseUrl } = JSON.parse(await child.firstLine) as { databaseUrl: string };
      await expect(start(directory)).rejects.toMatchObject({
        code: 'startup_problem',
        message: expect.stringMatching(
          new RegExp(
            `^Another copy of Redrive \\(process ${child.process.pid}\\) .* set REDRIVE_DATA_DIR to another directory\\.$`,
          ),
        ),
      });
      expect(await query(databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
      child.process.kill('SIGTERM');
      await child.ended;
      expect(await serversOf(directory)).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

test(
  'a server that dies is started again where it was, with all that was committed, and says so',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const said: string[] = [];
      const parts = await start(directory, (title) => ({
        ...silentReport(title),
        done: () => said.push(title),
      }));
      let broken: string | undefined;
      void parts.broken.then((how) => {
        broken = how;
      });
      await query(parts.databaseUrl, 'create table kept as select 42 as answer');
      for (const find of [temporalOf, postgresOf]) {
        const [before] = await find(directory);
        process.kill(before ?? Number.NaN, 'SIGKILL');
        await eventually('another one runs', async () => {
          const [now] = await find(directory);
          return now !== undefined && now !== before;
        });
      }
      await eventually('Postgres answers at its address', () =>
        query(parts.databaseUrl, 'select answer from kept').then(
          (rows) => (rows[0] as { answer?: number }).answer === 42,
          () => false,
        ),
      );
      await eventually('Temporal answers at its address', () =>
        fetch(parts.temporal.uiUrl ?? '').then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      const again = 'which ended by itself (signal SIGKILL) and is started again';
      await eventually('both are said', () => said.length === 4);
      expect(said).toEqual(expect.arrayContaining([`Postgres, ${again}`, `Temporal, ${again}`]));
      expect(broken).toBeUndefined();
      await parts.stop();
      expect(await serversOf(directory)).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

test(
  'no other account can read what the servers keep, nor find its way there',
  async () => {
    await inTemporaryDirectory(async (parent) => {
      const directory = join(parent, 'data');
      const parts = await start(directory);
      try {
        const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
        expect(await modeOf(directory)).toBe('700');
        expect(await modeOf(join(directory, 'temporal'))).toBe('700');
        for (const file of await readdir(join(directory, 'temporal')))
          expect([file, await modeOf(join(directory, 'temporal', file))]).toEqual([file, '600']);
        expect(await readdir(join(directory, 'temporal'))).toContain('temporal.db');
        expect(await query(parts.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
      } finally {
        await parts.stop();
        // As root the cluster is elsewhere.
        const elsewhere = await readFile(join(directory, 'postgres-is-in'), 'utf8').catch(() => '');
        if (elsewhere !== '') await rm(elsewhere.trim(), { recursive: true });
      }
    });
  },
  TIMEOUT_MS,
);

test(
  'data that an earlier version left open to everybody is closed to all but its servers',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const first = await start(directory);
      await query(first.databaseUrl, 'create table kept as select 42 as answer');
      await first.stop();
      await chmod(join(directory, 'temporal', 'temporal.db'), 0o644);
      const second = await start(directory);
      expect(await query(second.databaseUrl, 'select answer from kept')).toEqual([{ answer: 42 }]);
      expect((await stat(join(directory, 'temporal', 'temporal.db'))).mode & 0o077).toBe(0);
      // Only root needs to let another account through at all.
      if (process.getuid?.() === 0) expect((await stat(directory)).mode & 0o777).toBe(0o710);
      await second.stop();
    });
  },
  TIMEOUT_MS,
);

test(
  'the values of a failed statement do not get into the log',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const parts = await start(directory);
      await query(parts.databaseUrl, 'create table people (name text primary key check (length(name) < 20))');
      await expect(
        query(parts.databaseUrl, `insert into people values ('Ada Lovelace'), ('Ada Lovelace')`),
      ).rejects.toThrow();
      await expect(
        query(parts.databaseUrl, `insert into people values ('Ada, Countess of Lovelace')`),
      ).rejects.toThrow();
      const log = join(directory, 'postgres.log');
      await eventually('both errors are logged', async () =>
        (await readFile(log, 'utf8')).includes('violates check'),
      );
      expect(await readFile(log, 'utf8')).not.toMatch(/Ada/);
      await parts.stop();
    });
  },
  TIMEOUT_MS,
);

function start(directory: string, report: Report = silentReport): Promise<Parts> {
  const loaded = loadConfig({ REDRIVE_DATA_DIR: directory });
  if (!loaded.ok) throw new Error(loaded.problems.join(' '));
  return startEmbeddedParts({
    config: loaded.config,
    report,
    signal: new AbortController().signal,
  });
}

async function serversOf(directory: string): Promise<number[]> {
  return (await Promise.all([postgresOf(directory), temporalOf(directory)])).flat();
}

function postgresOf(directory: string): Promise<number[]> {
  return processesWithArguments('-D', join(directory, 'postgres', 'data'));
}

function temporalOf(directory: string): Promise<number[]> {
  return processesWithArguments('--db-filename', join(directory, 'temporal', 'temporal.db'));
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  // The server is ended under it in some of these tests.
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../src/config/config.ts';
import { type Parts, startEmbeddedParts } from '../../src/embedded/embedded-parts.ts';
import { processesWithArguments } from '../../src/embedded/own-processes.ts';
import { silentReport } from '../../src/embedded/steps.ts';
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
  'a server that ends by itself is noticed',
  async () => {
    await inTemporaryDirectory(async (directory) => {
      const parts = await start(directory);
      const [pid] = await processesWithArguments('--db-filename', join(directory, 'temporal', 'temporal.db'));
      process.kill(pid ?? Number.NaN, 'SIGKILL');
      expect(await parts.broken).toMatch(/^The embedded Temporal ended by itself \(signal SIGKILL\)/);
      await parts.stop();
      expect(await serversOf(directory)).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

test(
  'what a failed statement was about does not get into the log',
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

function start(directory: string): Promise<Parts> {
  const loaded = loadConfig({ REDRIVE_DATA_DIR: directory });
  if (!loaded.ok) throw new Error(loaded.problems.join(' '));
  return startEmbeddedParts({
    config: loaded.config,
    report: silentReport,
    signal: new AbortController().signal,
  });
}

async function serversOf(directory: string): Promise<number[]> {
  const [postgres, temporal] = await Promise.all([
    processesWithArguments('-D', join(directory, 'postgres', 'data')),
    processesWithArguments('--db-filename', join(directory, 'temporal', 'temporal.db')),
  ]);
  return [...postgres, ...temporal];
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

import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePorts } from '../free-port.ts';
import { lastLogLines, type ServerProcess, startServerProcess } from '../server-process.ts';
import { StartupProblem } from '../startup-problem.ts';
import type { Report, Step } from '../steps.ts';
import { ownerOf, postgresAccount } from './postgres-account.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import {
  type Cluster,
  createCluster,
  ENDING,
  environment,
  prepareExisting,
  USER,
} from './postgres-cluster.ts';
import { postgresHome } from './postgres-home.ts';

/** A Postgres of our own, for one machine. */
export type EmbeddedPostgres = {
  url: string;
  port: number;
  pid: number;
  /** Settles with the reason when the server has ended, by `stop` or by itself. */
  ended: Promise<string>;
  /** Ends it after a checkpoint; in a hurry without one, which costs a recovery at the next start but no data. */
  stop(options?: { hurry?: boolean }): Promise<void>;
};

const DATABASE = 'redrive';

type Settings = Record<string, string | number>;

const SETTINGS: Settings = {
  listen_addresses: '127.0.0.1',
  // A socket file's path may be too long in a deep data directory; the loopback address is enough.
  unix_socket_directories: '',
  max_connections: 200,
  // With less, a sender of millions waits for old pages to be written before it gets new ones.
  shared_buffers: `${sharedBuffersMiB(totalmem())}MB`,
  wal_buffers: '64MB',
  max_wal_size: '2GB',
  jit: 'off',
  autovacuum_naptime: '15s',
  autovacuum_vacuum_cost_limit: 1000,
  password_encryption: 'scram-sha-256',
  log_min_messages: 'warning',
  // A statement or the detail of an error can carry a row, and rows carry customer data: neither goes to the log.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/** An eighth of the machine's memory, between 128 MiB and 1 GiB: others live here, too. */
function sharedBuffersMiB(memoryBytes: number): number {
  return Math.min(1_024, Math.max(128, Math.floor(memoryBytes / 8 / 1_048_576)));
}

/** Starts the embedded Postgres of a data directory, making its cluster on the first start. */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  report: Report;
  /** Where those who know it already expect it; any free one where left out. */
  port?: number;
  /** A folder of packages with the binaries of another version; those of this installation where left out. */
  packages?: URL;
  /** Settings that are not the usual ones. */
  settings?: Settings;
}): Promise<EmbeddedPostgres> {
  const step = options.report('Postgres');
  try {
    const started = await start(options, step);
    step.done(`ready on port ${new URL(started.url).port}`);
    return started;
  } catch (error) {
    step.failed('did not start');
    throw error;
  }
}

async function start(
  { dataDir, port, packages, settings }: Omit<Parameters<typeof startEmbeddedPostgres>[0], 'report'>,
  step: Step,
): Promise<EmbeddedPostgres> {
  const preferred = await postgresAccount();
  const home = await postgresHome(dataDir, preferred);
  const data = join(home, 'data');
  const made = await stat(data).then(
    () => true,
    () => false,
  );
  const account = preferred && made ? await ownerOf(data) : preferred;
  const binaries = await postgresBinaries(home, account, packages);
  const password = await passwordIn(dataDir, made);

  if (made) await prepareExisting(data, binaries, step);
  else await createCluster({ binaries, home, data, password, account }, step);

  step.doing('starting');
  const server = await startServer({ binaries, home, data, dataDir, account, password, port, settings });
  try {
    await createDatabase(server.port, password);
  } catch (error) {
    await server.process.stop(ENDING);
    throw error;
  }
  return {
    url: connectionUrl(server.port, password, DATABASE),
    port: server.port,
    pid: server.process.pid,
    ended: server.process.ended,
    stop: ({ hurry = false } = {}) => server.process.stop(hurry ? ENDING.slice(1) : ENDING),
  };
}

async function passwordIn(dataDir: string, clusterExists: boolean): Promise<string> {
  const file = join(dataDir, 'postgres-password');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  if (clusterExists) {
    throw new StartupProblem(
      `The password of the embedded Postgres is missing (${file}): put the file back, or set REDRIVE_DATA_DIR to an empty directory to start afresh.`,
    );
  }
  const made = randomBytes(24).toString('base64url');
  await writeFile(file, `${made}\n`, { mode: 0o600 });
  return made;
}

type Server = Cluster & { dataDir: string; port: number | undefined; settings: Settings | undefined };

async function startServer(server: Server): Promise<{ process: ServerProcess; port: number }> {
  const logFile = join(server.dataDir, 'postgres.log');
  const deadline = performance.now() + 15_000;
  for (;;) {
    const port = server.port ?? (await freePorts('port')).port;
    const settings = Object.entries({ ...SETTINGS, ...server.settings, port }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const child = await startServerProcess({
      command: server.binaries.postgres,
      args: ['-D', server.data, ...settings],
      cwd: server.home,
      env: environment(),
      logFile,
      ...(server.account && { account: server.account }),
    });
    if (await accepts(child, port, server.password)) return { process: child, port };
    const reason = await lastLogLines(logFile, 5);
    // The port was taken in between, or is not free again yet; or, where sessions cannot be seen, those of a killed
    // server are about to end.
    const passing = /could not create any TCP|pre-existing shared memory block/.test(reason);
    if (!passing || performance.now() > deadline) {
      throw new StartupProblem(
        `Postgres ended (${await child.ended}) while it started; it wrote to ${logFile}: ${reason}`,
      );
    }
    await delay(200);
  }
}

/** Waits until it takes connections, however long a recovery lasts; false when it has ended instead. */
async function accepts(child: ServerProcess, port: number, password: string): Promise<boolean> {
  while (!child.hasEnded()) {
    const client = new pg.Client({ connectionString: connectionUrl(port, password, 'postgres') });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch (error) {
      const { code } = error as { code?: string };
      // A wrong password or a missing role does not mend itself.
      if (code?.startsWith('28')) {
        await child.stop(ENDING);
        throw new StartupProblem(
          'The embedded Postgres refuses the password kept in the data directory: put the right postgres-password file back, or set REDRIVE_DATA_DIR to an empty directory to start afresh.',
        );
      }
      await delay(20);
    } finally {
      await client.end().catch(() => {});
    }
  }
  return false;
}

async function createDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({ connectionString: connectionUrl(port, password, 'postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

function connectionUrl(port: number, password: string, database: string): string {
  return `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
}

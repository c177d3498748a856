import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { freePorts } from '../src/embedded/free-port.ts';
import { startEmbeddedPostgres } from '../src/embedded/postgres.ts';
import { silentReport } from '../src/embedded/steps.ts';
import { startEmbeddedTemporal } from '../src/embedded/temporal.ts';
import { migrate } from '../src/store/migrate.ts';
import { createPool } from '../src/store/pool.ts';
import { createTestClient, type TestClient } from '../test/support/test-client.ts';
import { type MeasuredProcess, measuredProcess, measuredServer } from './measured-process.ts';

/** What a receiver has had since it was told to forget; `delivered` and `twice` count what it answered 2xx. */
export interface ReceiverLedger {
  requests: number;
  distinct: number;
  delivered: number;
  twice: number;
  /** When the last request with a `webhook-id` came, on the clock of `performance.timeOrigin`. */
  lastAtMs: number;
}

/** The service as it runs in production, each part a process: the built API and workers, real Postgres and Temporal, a receiver. */
export interface Rig {
  url: string;
  client: TestClient;
  pool: Pool;
  databaseUrl: string;
  temporal: { address: string; metricsUrl: string };
  /** What secrets of endpoints are sealed with, for those that are made without the API. */
  masterKey: Buffer;
  receiver: {
    /** Address of a behaviour, as `/ok/e1` on 127.0.0.1 or another loopback address. */
    urlOf(path: string, host?: string): string;
    ledger(): Promise<ReceiverLedger>;
    forget(): Promise<void>;
    /** When a `webhook-id` came first, on the clock of `performance.timeOrigin`; waits until it comes. */
    arrival(webhookId: string): Promise<number>;
    /** Requests below a path of two parts, as `/ok/7`. */
    requestsOf(scene: string): Promise<number>;
  };
  /** API, workers in their order, Postgres, Temporal, receiver. */
  processes(): {
    api: MeasuredProcess;
    workers: MeasuredProcess[];
    postgres: MeasuredProcess;
    temporal: MeasuredProcess;
    receiver: MeasuredProcess;
  };
  /** Starts or stops workers until there are so many; `heard` is told what those that are started log, with their pid. */
  setWorkers(count: number, heard?: (worker: number, line: string) => void): Promise<void>;
  /** Runs a script of this directory in a process of its own until it ends; returns the JSON that it prints. */
  script<Result>(file: string, args: (string | number)[]): Promise<Result>;
  /** Ends one worker as `SIGKILL` does, without a word. */
  killWorker(at: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts it all in a temporary directory; `close` ends and removes everything. */
export async function startRig(): Promise<Rig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'redrive-bench-'));
  // As root, Postgres runs under another account, which has to get through here.
  await chmod(dataDir, 0o711);
  const closing: (() => Promise<unknown>)[] = [() => rm(dataDir, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closing.splice(0).reverse()) await each().catch((error) => console.error(error));
  };
  try {
    return await start(dataDir, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  dataDir: string,
  closing: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Rig> {
  const postgres = await startEmbeddedPostgres({ dataDir, report: silentReport });
  closing.push(() => postgres.stop({ hurry: true }));
  const temporal = await startEmbeddedTemporal({ dataDir, report: silentReport });
  closing.push(() => temporal.stop({ hurry: true }));
  const migrated = await migrate(postgres.url);
  if (!migrated.ok) throw new Error(migrated.problem);
  const pool = createPool(postgres.url, { max: 4, applicationName: 'redrive-bench' });
  closing.push(() => pool.end());
  await pool.query('create extension if not exists pg_stat_statements').catch(() => {});

  // Bodies of one letter would be compressed to next to nothing, and real ones are not: nothing is.
  await pool.query('alter table payloads alter column body set storage external');

  const receiver = fork(fileURLToPath(new URL('receiver.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  closing.push(() => ended(receiver, () => receiver.disconnect()));
  const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];
  const ask = questions(receiver);

  const { api: apiPort } = await freePorts('api');
  const adminKey = `rdk_${randomBytes(32).toString('base64url')}`;
  const masterKey = randomBytes(32);
  const env = {
    ...process.env,
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    REDRIVE_MASTER_KEY: masterKey.toString('base64'),
    REDRIVE_ADMIN_KEY: adminKey,
    REDRIVE_ALLOWED_NETWORKS: '127.0.0.0/8',
    REDRIVE_PORT: String(apiPort),
    REDRIVE_DEMO: '0',
  };
  const service = (role: string, heard?: (pid: number, line: string) => void): ChildProcess => {
    const flags = process.env.REDRIVE_BENCH_NODE_FLAGS?.split(' ') ?? [];
    const child = spawn(process.execPath, [...flags, 'dist/main.js', role], {
      env,
      stdio: ['ignore', heard ? 'pipe' : 'ignore', 'inherit'],
    });
    closing.push(() => ended(child, () => child.kill('SIGTERM')));
    if (heard && child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => heard(child.pid ?? 0, line));
    return child;
  };
  const url = `http://127.0.0.1:${apiPort}`;
  const api = service('api');
  await until(async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true, [api]);
  const workers: ChildProcess[] = [];
  const ready = async () => {
    const { rows } = await pool.query(
      `select pid from workers where polling and seen_at > now() - interval '5 seconds'`,
    );
    return workers.every((worker) => rows.some(({ pid }) => pid === worker.pid));
  };
  const measured = {
    api: measuredProcess('api', api.pid ?? 0),
    postgres: measuredServer('postgres', postgres.pid),
    temporal: measuredProcess('temporal', temporal.pid),
    receiver: measuredProcess('receiver', receiver.pid ?? 0),
  };
  const sampling = setInterval(() => measured.postgres.sample(), 500);
  closing.push(async () => clearInterval(sampling));

  return {
    url,
    client: await createTestClient(url, adminKey),
    pool,
    databaseUrl: postgres.url,
    temporal: { address: temporal.address, metricsUrl: temporal.metricsUrl },
    masterKey,
    receiver: {
      urlOf: (path, host = '127.0.0.1') => `http://${host}:${port}${path}`,
      ledger: () => ask('ledger') as Promise<ReceiverLedger>,
      forget: async () => void (await ask('forget')),
      arrival: (webhookId) => ask('arrival', webhookId) as Promise<number>,
      requestsOf: (scene) => ask('scene', scene) as Promise<number>,
    },
    processes: () => ({
      ...measured,
      workers: workers.map((worker, n) => measuredProcess(`worker ${n + 1}`, worker.pid ?? 0)),
    }),
    async setWorkers(count, heard) {
      while (workers.length > count) {
        const worker = workers.pop() as ChildProcess;
        await ended(worker, () => worker.kill('SIGTERM'));
      }
      while (workers.length < count) workers.push(service('worker', heard));
      await until(ready, workers);
    },
    async script(file, args) {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...args.map(String)],
        { env, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      closing.push(() => ended(child, () => child.kill('SIGTERM')));
      const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      if (code !== 0) throw new Error(`${file} ended with ${code}`);
      return JSON.parse(printed);
    },
    async killWorker(at) {
      const [worker] = workers.splice(at, 1);
      if (worker) await ended(worker, () => worker.kill('SIGKILL'));
    },
    close,
  };
}

/** Asks a process over IPC; answers may come in any order. */
function questions(of: ChildProcess): (ask: string, about?: string) => Promise<unknown> {
  let asked = 0;
  const waiting = new Map<number, (value: unknown) => void>();
  // One that has ended is told nothing; who waits for its answer is told by its end.
  of.on('error', () => {});
  of.on('message', ({ n, value }: { n: number; value: unknown }) => {
    waiting.get(n)?.(value);
    waiting.delete(n);
  });
  return (ask, about) =>
    new Promise((resolve) => {
      asked += 1;
      waiting.set(asked, resolve);
      of.send({ n: asked, ask, of: about });
    });
}

/** What drains longer than this is ended all the same, so that nothing is left behind. */
const END_WITHIN_MS = 20_000;

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  end();
  const late = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
  await exit;
  clearTimeout(late);
}

/** Waits for a condition; fails when one of the processes it depends on has ended. */
async function until(condition: () => Promise<boolean>, children: ChildProcess[]): Promise<void> {
  while (!(await condition())) {
    if (children.some(({ exitCode }) => exitCode !== null)) throw new Error('a process of the run has ended');
    await delay(50);
  }
}

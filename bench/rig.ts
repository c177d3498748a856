import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../src/embedded/free-port.ts';
import { startEmbeddedPostgres } from '../src/embedded/postgres/postgres.ts';
import { silentReport } from '../src/embedded/steps.ts';
import { startEmbeddedTemporal } from '../src/embedded/temporal/temporal.ts';
import { migrate } from '../src/store/db/migrate.ts';
import { createPool, type Pool } from '../src/store/db/pool.ts';
import { createTestClient, type TestClient } from '../test/support/api/test-client.ts';
import { createChildren, type StartOptions, until } from './children.ts';
import { type MeasuredProcess, measuredProcess, measuredServer } from './measured-process.ts';

/** The ledger of a receiver since it was told to forget; `delivered` and `twice` count the ids that it answered 2xx. */
export interface ReceiverLedger {
  requests: number;
  distinct: number;
  delivered: number;
  twice: number;
  /** When the last request with a `webhook-id` came, on the clock of `performance.timeOrigin`. */
  lastAtMs: number;
}

/**
 * The service as it runs in production, each part a process: the built API and workers, real Postgres and Temporal, a
 * receiver.
 */
export interface Rig {
  url: string;
  client: TestClient;
  pool: Pool;
  databaseUrl: string;
  temporal: { address: string; metricsUrl: string };
  /** The key that seals secrets of endpoints, for those that are made without the API. */
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
  /** Runs something on a Temporal server of its own, which is gone with all its histories when that has ended. */
  withTemporal<Result>(run: (address: string) => Promise<Result>): Promise<Result>;
  /** Starts or stops workers until there are so many; `heard` takes the log lines of new ones, with their pid. */
  setWorkers(count: number, options?: Pick<StartOptions, 'heard' | 'env'>): Promise<void>;
  /** Runs a script of this directory in a process of its own until it ends; returns the JSON that it prints. */
  script<Result>(file: string, args: (string | number)[]): Promise<Result>;
  /** Ends one worker as `SIGKILL` does, without a word. */
  killWorker(at: number): Promise<void>;
  /** Rejects when a process of the run has ended that was not told to. */
  failed: Promise<never>;
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
  // Bodies of one letter would be compressed to next to nothing, and real ones would not: nothing is compressed.
  await pool.query('alter table payloads alter column body set storage external');

  const { api: apiPort } = await freePorts('api');
  const adminKey = `rdk_${randomBytes(32).toString('base64url')}`;
  const masterKey = randomBytes(32);
  const children = createChildren({
    ...process.env,
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    REDRIVE_MASTER_KEY: masterKey.toString('base64'),
    REDRIVE_ADMIN_KEY: adminKey,
    REDRIVE_ALLOWED_NETWORKS: '127.0.0.0/8',
    REDRIVE_PORT: String(apiPort),
    REDRIVE_DEMO: '0',
  });
  closing.push(() => children.endAll());
  // As the image starts it.
  const flags = process.env.REDRIVE_BENCH_NODE_FLAGS?.split(' ') ?? ['--max-semi-space-size=32'];
  const service = (role: string, options: Pick<StartOptions, 'heard' | 'env'> = {}): ChildProcess =>
    children.start('dist/main.js', [role], { flags, ...options });
  const { child: receiver, first, ask } = await children.startAnswering<{ port: number }>('receiver.ts');
  const url = `http://127.0.0.1:${apiPort}`;
  const api = service('api');
  const answers = async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true;
  await Promise.race([until(answers), children.failed]);
  const measured = {
    api: measuredProcess('api', api.pid ?? 0),
    postgres: measuredServer('postgres', postgres.pid),
    temporal: measuredProcess('temporal', temporal.pid),
    receiver: measuredProcess('receiver', receiver.pid ?? 0),
  };
  const sampling = setInterval(() => measured.postgres.sample(), 500);
  closing.push(async () => clearInterval(sampling));

  const workers: ChildProcess[] = [];
  const ready = async () => {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from workers where polling and seen_at > now() - interval '5 seconds'`,
    );
    return workers.every((worker) => rows.some(({ pid }) => pid === worker.pid));
  };
  return {
    url,
    client: await createTestClient(url, adminKey),
    pool,
    databaseUrl: postgres.url,
    temporal: { address: temporal.address, metricsUrl: temporal.metricsUrl },
    masterKey,
    receiver: {
      urlOf: (path, host = '127.0.0.1') => `http://${host}:${first.port}${path}`,
      ledger: () => ask('ledger') as Promise<ReceiverLedger>,
      forget: async () => void (await ask('forget')),
      arrival: (webhookId) => ask('arrival', webhookId) as Promise<number>,
      requestsOf: (scene) => ask('scene', scene) as Promise<number>,
    },
    processes: () => ({
      ...measured,
      workers: workers.map((worker, n) => measuredProcess(`worker ${n + 1}`, worker.pid ?? 0)),
    }),
    async withTemporal(run) {
      const own = await mkdtemp(join(dataDir, 'temporal-'));
      const server = await startEmbeddedTemporal({ dataDir: own, report: silentReport });
      const stop = () => server.stop({ hurry: true });
      closing.push(stop);
      try {
        return await run(server.address);
      } finally {
        closing.splice(closing.indexOf(stop), 1);
        await stop();
      }
    },
    async setWorkers(count, options) {
      while (workers.length > count) await children.end(workers.pop() as ChildProcess);
      while (workers.length < count) workers.push(service('worker', options));
      await until(ready);
    },
    async killWorker(at) {
      const [worker] = workers.splice(at, 1);
      if (worker) await children.end(worker, 'SIGKILL');
    },
    script: (file, args) => children.run(file, args.map(String)),
    failed: children.failed,
    close,
  };
}

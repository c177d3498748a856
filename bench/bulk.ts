import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import { readId } from '../src/domain/typed-id.ts';
import { freePorts } from '../src/embedded/free-port.ts';
import { connectTemporal } from '../src/temporal/connection.ts';
import { seedFailures } from '../test/support/seed-failures.ts';
import { createTestClient } from '../test/support/test-client.ts';
import { createTestDatabase } from '../test/support/test-database.ts';
import { startTestEnvironment } from '../test/support/test-environment.ts';

/**
 * One bulk retry beside the raw limit of the machine, in one run: API and worker are processes of the built service, the
 * receiver is a third, Postgres and Temporal are real. Prints a table; `--items`, `--endpoints`, `--bytes`, `--workers`.
 */
const { values } = parseArgs({
  options: {
    items: { type: 'string', default: '100000' },
    endpoints: { type: 'string', default: '20' },
    bytes: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
  },
});
const [items, endpoints, bytes, workers, rounds] = [
  values.items,
  values.endpoints,
  values.bytes,
  values.workers,
  values.rounds,
].map(Number) as [number, number, number, number, number];

const environment = await startTestEnvironment();
Object.assign(process.env, environment.variables);
const children: ChildProcess[] = [];
try {
  await measure();
} finally {
  for (const child of children) if (child.exitCode === null) child.kill('SIGTERM');
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)));
  await environment.stop();
}

async function measure(): Promise<void> {
  const database = await createTestDatabase();
  const receiver = start('receiver', ['--import', 'tsx', 'bench/receiver.ts'], {}, 'pipe');
  const lines = createInterface({ input: receiver.stdout as NodeJS.ReadableStream });
  const { port } = await answer(lines);
  const { api: apiPort } = await freePorts('api');
  const adminKey = `rdk_${randomBytes(32).toString('base64url')}`;
  const env = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: process.env.REDRIVE_TEST_TEMPORAL_ADDRESS,
    REDRIVE_MASTER_KEY: randomBytes(32).toString('base64'),
    REDRIVE_ADMIN_KEY: adminKey,
    REDRIVE_ALLOWED_NETWORKS: '127.0.0.0/8',
    REDRIVE_PORT: String(apiPort),
    REDRIVE_DEMO: '0',
  };
  const api = start('api', ['dist/main.js', 'api'], env);
  const url = `http://127.0.0.1:${apiPort}`;
  await until(async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true);
  const working = Array.from({ length: workers }, (_, n) =>
    start(`worker ${n + 1}`, ['dist/main.js', 'worker'], env),
  );
  await until(async () => (await fetch(`${url}/readyz`)).ok);
  const client = await createTestClient(url, adminKey);
  const tenant = await client.newTenant('bench');
  const endpointIds: string[] = [];
  for (let n = 0; n < endpoints; n++) {
    const made = await client.newEndpoint(tenant.key, { url: `http://127.0.0.1:${port}/e${n}` });
    endpointIds.push(readId('endpoint', made.id) ?? '');
  }
  const temporal = await connectTemporal({ address: process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '' });
  for (let round = 1; round <= rounds; round++) {
    const raw = await rawRate(`http://127.0.0.1:${port}/raw`, Math.min(items, 50_000));
    await seedFailures(database.pool, {
      tenantId: readId('tenant', tenant.id) ?? '',
      endpointIds,
      count: items,
      bodyBytes: bytes,
    });
    await database.pool.query('checkpoint');
    const cpuBefore = [api, ...working].map(cpuMs);
    const startedAt = performance.now();
    const accepted = await client.expect(202, 'POST', '/api/v1/retries', {
      key: tenant.key,
      headers: { 'idempotency-key': `bench-${round}` },
      body: { select: { filter: { state: ['failed'] } } },
    });
    let shown = await client.call('GET', `/api/v1/retries/${accepted.body.id}`, { key: tenant.key });
    let selectedMs: number | undefined;
    while (!shown.body.closedAt) {
      if (selectedMs === undefined && ['running', 'closing'].includes(shown.body.state))
        selectedMs = performance.now() - startedAt;
      process.stderr.write(`\r${JSON.stringify(shown.body.counts)}   `);
      await new Promise((resolve) => setTimeout(resolve, 200));
      shown = await client.call('GET', `/api/v1/retries/${accepted.body.id}`, { key: tenant.key });
    }
    const tookMs = performance.now() - startedAt;
    process.stderr.write('\n');
    const history = await temporal.client.workflow.getHandle(shown.body.workflowId).fetchHistory();
    receiver.stdin?.write('\n');
    const bulk = (items / tookMs) * 1_000;
    console.log(
      JSON.stringify({
        items,
        endpoints,
        bytes,
        workers,
        state: shown.body.state,
        counts: shown.body.counts,
        tookSeconds: round1(tookMs / 1_000),
        selectedSeconds: selectedMs === undefined ? null : round1(selectedMs / 1_000),
        bulkPerSecond: Math.round(bulk),
        rawPerSecond: Math.round(raw),
        ratio: Math.round((bulk / raw) * 1_000) / 1_000,
        historyEvents: history.events?.length,
        receiver: await answer(lines),
        peakMiB: {
          api: peakMiB(api),
          workers: working.map(peakMiB),
        },
        cpuMs: [api, ...working].map((child, n) => Math.round(cpuMs(child) - (cpuBefore[n] ?? 0))),
      }),
    );
  }
  await temporal.connection.close();
  lines.close();
  receiver.stdin?.end();
  for (const child of [api, ...working]) child.kill('SIGTERM');
  await Promise.all([api, ...working].map((child) => once(child, 'exit')));
  await database.drop();
}

/** POSTs by undici's `request` over 64 connections, bodies drained: what one Node process can do here at best. */
async function rawRate(url: string, count: number): Promise<number> {
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const body = JSON.stringify({ n: 1, fill: 'x'.repeat(bytes) });
  let left = count;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) {
        const response = await request(url, { method: 'POST', body, dispatcher: agent });
        await response.body.dump();
      }
    }),
  );
  const rate = (count / (performance.now() - startedAt)) * 1_000;
  await agent.close();
  return rate;
}

function start(
  name: string,
  args: string[],
  env: Record<string, string | undefined>,
  stdio: 'pipe' | 'ignore' = 'ignore',
): ChildProcess {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env, REDRIVE_LOG_LEVEL: process.env.REDRIVE_LOG_LEVEL ?? 'info' },
    stdio: [stdio === 'pipe' ? 'pipe' : 'ignore', stdio, 'inherit'],
  });
  child.once('exit', (code) => {
    if (code) console.error(`${name} ended with ${code}`);
  });
  children.push(child);
  return child;
}

async function answer(lines: Interface) {
  const [line] = (await once(lines, 'line')) as [string];
  return JSON.parse(line);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    if (children.some((child) => child.exitCode)) throw new Error('a process of the run has ended');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function peakMiB(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1_024);
}

function cpuMs(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function round1(n: number): number {
  return Math.round(n * 10) / 10;
}

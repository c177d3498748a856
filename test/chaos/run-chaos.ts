import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { makeApiKey } from '../../src/api/authentication/api-key.ts';
import { type Id, readId, showId } from '../../src/domain/tenancy/typed-id.ts';
import { freePorts } from '../../src/embedded/free-port.ts';
import { createPool, type Pool } from '../../src/store/db/pool.ts';
import { CRASH_POINTS, type CrashPoint, isOfWorker } from '../../src/telemetry/crash-points.ts';
import { govern } from '../support/api/governed.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createTestClient } from '../support/api/test-client.ts';
import { type ChildScript, startChildScript } from '../support/child-script.ts';
import { seedFailures } from '../support/engine/seed-failures.ts';
import { eventually } from '../support/eventually.ts';
import { NO_ID } from '../support/store/any-id.ts';
import type { TestPool } from '../support/store/test-database.ts';
import { type ChaosParts, startChaosParts } from './chaos-parts.ts';
import { type ChaosReceiver, seeded, startChaosReceivers } from './chaos-receivers.ts';
import { checkLedgers, type Findings } from './check-ledgers.ts';

/** The size of a run, and its roughness. */
export interface ChaosPlan {
  items: number;
  seed: number;
  workers: number;
  /** Requests per second of the operation: long enough for the kills to find it at work. */
  ratePerSecond: number;
  /** At least so many kills; then it is left alone. */
  kills: { workers: number; api: number; postgres: number; temporal: number };
  workflowBundle: string;
  withinMs: number;
  say(line: string): void;
}

/** The result of a run. */
export interface ChaosResult {
  seconds: number;
  kills: Record<string, number>;
  findings: Findings;
}

/** Short enough for items that a kill strands to come back within the run. */
const SIZES = {
  bulkSlices: 2,
  socketsPerSlice: 48,
  liveSockets: 16,
  sliceBudgetMs: 20_000,
  sweepEveryMs: 1_000,
  lease: { startWithinMs: 1_500, marginMs: 1_000 },
};
const TIMEOUT_MS = 800;
const WORKER_POINTS = CRASH_POINTS.filter(isOfWorker);

/** So many kills come before somebody approves: while it is planned, and while it waits. */
const KILLS_BEFORE_APPROVAL = 2;

/**
 * Retries failures over a mixed bag of receivers, planned and approved first, while workers, the API, Postgres and Temporal
 * are killed at random and at crash points, and compares the receivers' own ledger with the service's. The only help is
 * that killed processes are started again, as a supervisor would.
 */
export async function runChaos(plan: ChaosPlan): Promise<ChaosResult> {
  const random = seeded(plan.seed);
  const parts = await startChaosParts();
  const receivers = await startChaosReceivers(random);
  const pool = createPool(parts.databaseUrl, { max: 4 });
  pool.on('error', () => {});
  const herd = new Herd(parts, plan);
  try {
    await herd.startApi();
    const { key, approver } = await furnish(pool, herd, receivers, plan.items);
    for (let n = 0; n < plan.workers; n++) await herd.startWorker();
    const startedAt = performance.now();
    const operationId = await herd.retryAll(key, plan);
    plan.say(`operation ${showId('operation', operationId)}: ${plan.items} items, seed ${plan.seed}`);
    const ended = whenClosed(pool, operationId, plan, herd);
    const sent = () => receivers.reduce((sum, { receiver }) => sum + receiver.requests.length, 0);
    const [sentBefore] = await Promise.all([
      herd.approve(operationId, approver, sent),
      ended,
      herd.torment(random, ended),
    ]);
    const seconds = (performance.now() - startedAt) / 1_000;
    // A request that is on its way when its sender has ended arrives before its connection is seen to be closed.
    await herd.stop();
    await eventually('everything that was sent has arrived', () =>
      receivers.every(({ receiver }) => receiver.openConnections === 0),
    );
    const findings = await checkLedgers(pool, operationId, receivers);
    if (sentBefore > 0) findings.faults.push(`${sentBefore} requests went out before anybody had approved`);
    return { seconds, kills: herd.kills, findings };
  } finally {
    await herd.stop();
    await pool.end();
    await Promise.all(receivers.map(({ receiver }) => receiver.close()));
    await parts.stop();
  }
}

/** A tenant with an endpoint for each receiver, and its failures, nothing of which goes out unless it is approved. */
async function furnish(
  pool: Pool,
  herd: Herd,
  receivers: ChaosReceiver[],
  items: number,
): Promise<{ key: string; approver: string }> {
  const client = await createTestClient(herd.apiUrl, herd.adminKey);
  const tenant = await client.newTenant('chaos');
  const endpointIds: string[] = [];
  for (const { name, receiver } of receivers) {
    const endpoint = await client.newEndpoint(tenant.key, {
      handle: name,
      url: receiver.url('/hook'),
      timeoutMs: TIMEOUT_MS,
      retry: { maxAttempts: 50, initialMs: 50, factor: 1.5, capMs: 1_000 },
      // The receivers of this run are moody, not down: the test is of our own failures.
      protect: false,
    });
    endpointIds.push(uuidIn('endpoint', endpoint.id));
  }
  await seedFailures(pool, {
    tenantId: uuidIn('tenant', tenant.id),
    endpointIds,
    count: items,
    bodyBytes: 200,
  });
  const by = govern({ client, adminKey: herd.adminKey }, tenant);
  await by.set({ approveAbove: 0 });
  return { key: tenant.key, approver: await by.person('approver', ['approve:retries', 'read:deliveries']) };
}

async function whenClosed(pool: TestPool, operationId: string, plan: ChaosPlan, herd: Herd): Promise<void> {
  const deadline = performance.now() + plan.withinMs;
  for (let said = 0; performance.now() < deadline; await delay(500)) {
    const found = await pool
      .query(
        `select o.state, o.closed_at is not null as closed, c.* from operations o
         join operation_counts c on c.operation_id = o.id where o.id = $1`,
        [operationId],
      )
      .catch(() => undefined);
    const row = found?.rows[0];
    if (row?.closed) return;
    if (row && performance.now() - said > 5_000) {
      said = performance.now();
      const { delivered, failed, scheduled, sending, queued } = row;
      plan.say(
        `${row.state}: queued ${queued}, scheduled ${scheduled}, sending ${sending}, delivered ${delivered}, failed ${failed}; kills ${JSON.stringify(herd.kills)}`,
      );
    }
  }
  throw new Error('the operation did not close in time');
}

/** The processes of a run. */
class Herd {
  /** How often each part was killed, or crashed at each point. */
  readonly kills: Record<string, number> = {};
  readonly #parts: ChaosParts;
  readonly #plan: ChaosPlan;
  readonly #options: object;
  readonly #workers = new Set<ChildScript>();
  readonly #killed = new Set<ChildScript>();
  readonly adminKey = makeApiKey();
  #api: ChildScript | undefined;
  #apiPort = 0;
  #stopping = false;
  /** Where the next worker is to crash by itself. */
  #nextCrash: { at: CrashPoint; after: number } | undefined;

  constructor(parts: ChaosParts, plan: ChaosPlan) {
    this.#parts = parts;
    this.#plan = plan;
    this.#options = {
      config: {
        host: '127.0.0.1',
        allowedNetworks: ['127.0.0.0/8'],
        adminKey: this.adminKey,
        logLevel: 'warn',
        taskQueuePrefix: 'chaos',
      },
      databaseUrl: parts.databaseUrl,
      temporal: { address: parts.temporalAddress },
      workflowBundle: plan.workflowBundle,
      masterKey: randomBytes(32).toString('base64'),
      sizes: SIZES,
    };
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#apiPort}`;
  }

  async startApi(crash?: { at: CrashPoint; after: number }): Promise<void> {
    if (this.#apiPort === 0) this.#apiPort = (await freePorts('api')).api;
    this.#api = this.#start({ api: true, worker: false }, this.#apiPort, crash);
    await this.#api.firstLine;
  }

  /** Starts a worker; whatever ends it, another one takes its place. */
  async startWorker(): Promise<void> {
    const crash = this.#nextCrash;
    this.#nextCrash = undefined;
    const worker = this.#start({ api: false, worker: true }, 0, crash);
    this.#workers.add(worker);
    void worker.ended.then(({ signal, output }) => {
      this.#workers.delete(worker);
      if (this.#stopping) return;
      if (signal !== 'SIGKILL') this.#plan.say(`a worker ended by itself: ${output.slice(-500)}`);
      else if (crash && !this.#killed.delete(worker)) this.#count(`worker ${crash.at}`);
      void this.startWorker();
    });
    await worker.firstLine.catch(() => {});
  }

  #start(roles: { api: boolean; worker: boolean }, port: number, crash?: { at: CrashPoint; after: number }) {
    const { config, ...options } = this.#options as { config: object };
    return startChildScript(new URL('../support/child/service.ts', import.meta.url), {
      env: {
        SERVICE_OPTIONS: JSON.stringify({ ...options, config: { ...config, port }, roles }),
        CRASH: JSON.stringify(crash ?? null),
      },
    });
  }

  /** Asks for the retry of everything, again and again under one key, as a client does whose connection is lost. */
  async retryAll(key: string, { ratePerSecond }: ChaosPlan): Promise<Id<'operation'>> {
    const idempotencyKey = randomUUID();
    for (let tries = 0; ; tries++) {
      const answer = await fetch(`${this.apiUrl}/api/v1/retries`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'idempotency-key': idempotencyKey,
        },
        body: JSON.stringify({ select: { filter: {} }, options: { ratePerSecond } }),
      }).catch(() => undefined);
      if (answer?.status === 202)
        return readId('operation', ((await answer.json()) as { id: string }).id) ?? NO_ID;
      if (tries > 60) throw new Error(`the retry was not accepted: ${answer?.status}`);
      await delay(500);
    }
  }

  /**
   * Approves an operation that waits, as somebody who asks again where nobody answers; returns how many requests had been
   * sent by then.
   */
  async approve(id: Id<'operation'>, key: string, sent: () => number): Promise<number> {
    const path = `${this.apiUrl}/api/v1/retries/${showId('operation', id)}`;
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    let before = 0;
    await eventually(
      'it is approved',
      async () => {
        const shown = await answered(path, { headers });
        if (shown?.state !== 'awaiting_approval') return shown?.approval?.endedFor === 'approved';
        if (Object.values(this.kills).reduce((sum, n) => sum + n, 0) < KILLS_BEFORE_APPROVAL) return false;
        before = sent();
        const body = JSON.stringify({ planHash: shown.approval.planHash });
        return (await answered(`${path}/approve`, { method: 'POST', headers, body })) !== undefined;
      },
      { withinMs: 60_000 },
    );
    return before;
  }

  /** Kills something every second or so until the plan is fulfilled or the operation has ended. */
  async torment(random: () => number, ended: Promise<void>): Promise<void> {
    let over = false;
    ended.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    const left = { ...this.#plan.kills };
    while (!over && Object.values(left).some((n) => n > 0)) {
      await delay(400 + random() * 1_200);
      if (over) return;
      const choices = Object.entries(left).flatMap(([what, n]) => Array<string>(Math.max(0, n)).fill(what));
      const what = choices[Math.floor(random() * choices.length)];
      if (what === 'workers') await this.#killWorker(random);
      if (what === 'api') await this.#killApi();
      if (what === 'postgres') await this.#killServer('postgres');
      if (what === 'temporal') await this.#killServer('temporal');
      if (what) left[what as keyof typeof left] -= 1;
    }
  }

  async #killWorker(random: () => number): Promise<void> {
    const victims = [...this.#workers];
    const victim = victims[Math.floor(random() * victims.length)];
    if (!victim) return;
    // Now and then its successor is one that crashes by itself, at a place that is worth it.
    if (random() < 0.5)
      this.#nextCrash = {
        at: WORKER_POINTS[Math.floor(random() * WORKER_POINTS.length)] ?? 'claimed',
        after: Math.floor(random() * 20),
      };
    this.#killed.add(victim);
    victim.process.kill('SIGKILL');
    this.#count('worker');
    await victim.ended;
  }

  async #killApi(): Promise<void> {
    this.#api?.process.kill('SIGKILL');
    await this.#api?.ended;
    this.#count('api');
    await this.startApi();
  }

  async #killServer(which: 'postgres' | 'temporal'): Promise<void> {
    this.#count(which);
    await this.#parts[which].kill();
    await this.#parts[which].restart();
  }

  #count(what: string): void {
    this.kills[what] = (this.kills[what] ?? 0) + 1;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const children = [...this.#workers, ...(this.#api ? [this.#api] : [])];
    for (const { process: child } of children) child.kill('SIGKILL');
    await Promise.all(children.map(({ ended }) => ended));
  }
}

/** The answer where it is a success; undefined where there is none, or another. */
// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
async function answered(url: string, init: RequestInit): Promise<any> {
  const answer = await fetch(url, init).catch(() => undefined);
  return answer?.ok ? answer.json().catch(() => undefined) : undefined;
}

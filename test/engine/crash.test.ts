import { afterEach, describe, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import type { ChildScript } from '../support/child-script.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { PATIENT_LEASE, startTestEngine, type TestEngine } from '../support/engine/test-engine.ts';
import { startWorkerProcess } from '../support/engine/worker-process.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { type Behaviour, hang, ok, reset, slow, status } from '../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../support/receivers/tcp-proxy.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function engineWith(options: Parameters<typeof startTestEngine>[0]): Promise<TestEngine> {
  const engine = await startTestEngine(options);
  closing.push(() => engine.close());
  return engine;
}

async function sceneOn(
  engine: TestEngine,
  behaviours: Behaviour[],
  endpoint: Record<string, unknown>,
): Promise<Scene> {
  const scene = await createScene(engine, behaviours, endpoint);
  closing.push(() => scene.close());
  return scene;
}

async function workerProcess(
  engine: TestEngine,
  sizes?: Parameters<typeof startWorkerProcess>[1],
): Promise<ChildScript> {
  const child = await startWorkerProcess(engine, sizes);
  closing.push(() => {
    if (child.process.exitCode === null) child.process.kill('SIGKILL');
    return child.ended;
  });
  return child;
}

/** How often each delivery was received. */
function perDelivery(scene: Scene): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { requests } of scene.receivers)
    for (const { id = '' } of requests) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

describe('a worker process that is killed in the middle of a bulk retry', () => {
  test('loses nothing: only what it had claimed is sent again, after its lease, under the same id', async () => {
    const ITEMS = 3_000;
    const engine = await engineWith({ roles: { api: true, worker: false } });
    const child = await workerProcess(engine);
    const it = await sceneOn(engine, Array(4).fill(slow(60)), {
      timeoutMs: patient(1_000),
      retry: { maxAttempts: 5, initialMs: 10, factor: 1, capMs: 10 },
    });
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is in the middle', () => it.sent() > ITEMS / 4, { withinMs: 20_000 });
    child.process.kill('SIGKILL');
    await child.ended;
    await eventually('what it had sent to Postgres is done', async () => {
      const { rows } = await engine.database.pool.query(
        `select from pg_stat_activity where datname = current_database() and application_name = 'redrive-worker'`,
      );
      return rows.length === 0;
    });
    const { rows: claimed } = await engine.database.pool.query(
      `select e.id, e.delivery_id, c.lease_until from claims c
       join executions e on e.id = any(c.execution_ids) and e.state = 'sending' and e.lease_token = c.token
       where c.worked_by = $1`,
      [uuidIn('operation', id)],
    );
    expect(claimed.length).toBeGreaterThan(0);
    expect(claimed.length).toBeLessThanOrEqual(2 * 32);
    const killedAt = Date.now();
    const sentBefore = perDelivery(it);
    const { counts } = await it.retries.show(id);
    expect(counts).toMatchObject({ expected: ITEMS, sending: claimed.length });

    await engine.addWorker();
    const ended = await it.retries.ended(id, 60_000);
    expect(ended).toMatchObject({ state: 'completed', counts: { expected: ITEMS, delivered: ITEMS } });
    expect(await it.retries.report(id)).toMatchObject({ attempts: ITEMS + claimed.length });

    const sent = perDelivery(it);
    const leaseOf = new Map(claimed.map((row) => [row.delivery_id, row.lease_until.getTime()]));
    expect(sent.size).toBe(ITEMS);
    for (const [deliveryId, times] of sent) {
      const wasClaimed = leaseOf.has(uuidIn('delivery', deliveryId));
      expect(times).toBe(wasClaimed ? (sentBefore.get(deliveryId) ?? 0) + 1 : 1);
    }
    const again = it.receivers
      .flatMap(({ requests }) => requests)
      .filter(({ id: sentId = '', at }) => at > killedAt && leaseOf.has(uuidIn('delivery', sentId)));
    expect(again).toHaveLength(claimed.length);
    for (const { id: sentId = '', at, headers } of again) {
      expect(at).toBeGreaterThanOrEqual(leaseOf.get(uuidIn('delivery', sentId)) ?? 0);
      expect(headers['redrive-execution-attempt']).toBe('2');
      // The attempt that had failed before the retry counts, too.
      expect(headers['redrive-attempt']).toBe('3');
    }
    for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);

    const { rows: attempts } = await engine.database.pool.query(
      `select outcome, fault_code, resend, number, count(*)::int as n from attempts
       where execution_id = any($1::uuid[]) group by 1, 2, 3, 4 order by number`,
      [claimed.map((row) => row.id)],
    );
    expect(attempts).toEqual([
      { outcome: 'ambiguous', fault_code: 'lease_lost', resend: false, number: 1, n: claimed.length },
      { outcome: 'delivered', fault_code: null, resend: true, number: 2, n: claimed.length },
    ]);
  });
});

describe('an endpoint that is tried once, and a worker that is killed', () => {
  test('loses nothing to it: another worker goes on within ten seconds, and what was on the wire is sent again', async () => {
    const ITEMS = 1_500;
    const engine = await engineWith({ roles: { api: true, worker: false } });
    const child = await workerProcess(engine);
    const it = await sceneOn(engine, Array(2).fill(slow(250)), {
      timeoutMs: patient(1_000),
      retry: { maxAttempts: 1, initialMs: 10, factor: 1, capMs: 10 },
    });
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is in the middle', () => it.sent() > ITEMS / 10, { withinMs: 20_000 });
    // It has no step of this operation: there is one slice, which is the other's.
    await engine.addWorker();
    child.process.kill('SIGKILL');
    const killedAt = Date.now();
    await child.ended;
    const { counts } = await it.retries.show(id);
    expect(counts.queued).toBeGreaterThan(0);
    expect(counts.sending).toBeGreaterThan(0);

    // What the killed one had written may still reach a receiver that is busy: requests alone do not say who goes on.
    const isLeftBehind = () => engine.log.some((line) => line.includes('operation.left_behind'));
    await eventually('another worker goes on', isLeftBehind, { withinMs: 20_000 });
    expect(Date.now() - killedAt).toBeLessThan(patient(10_000));
    expect(await it.retries.ended(id, 60_000)).toMatchObject({
      state: 'completed',
      counts: { expected: ITEMS, delivered: ITEMS, failed: 0 },
    });
    const sent = perDelivery(it);
    expect(sent.size).toBe(ITEMS);
    expect([...sent.values()].filter((times) => times > 1).length).toBeLessThanOrEqual(counts.sending);
    for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
  });
});

describe('a worker process that is asked to end in the middle of a bulk retry', () => {
  test('takes nothing more, records what is on the wire, and ends by itself; nothing is sent twice', async () => {
    const ITEMS = 800;
    const engine = await engineWith({ roles: { api: true, worker: false } });
    const child = await workerProcess(engine, { lease: PATIENT_LEASE });
    const it = await sceneOn(engine, Array(2).fill(slow(120)), {});
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is in the middle', () => it.sent() > 200, { withinMs: 20_000 });
    child.process.kill('SIGTERM');
    const askedAt = Date.now();
    const { code, output } = await child.ended;
    expect(Date.now() - askedAt).toBeLessThan(patient(5_000));
    expect([code, output]).toEqual([0, expect.stringContaining('stopped')]);
    const { rows: claims } = await engine.database.pool.query('select from claims');
    expect(claims).toHaveLength(0);
    const { counts } = await it.retries.show(id);
    expect(counts).toMatchObject({ expected: ITEMS, sending: 0, delivered: it.sent() });
    await engine.addWorker();
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: ITEMS } });
    expect(new Set(perDelivery(it).values())).toEqual(new Set([1]));
  });
});

describe('Temporal that goes away in the middle of a bulk retry', () => {
  test('stops no slice that runs: what it has is sent once, commands work, and the operation closes later', async () => {
    const ITEMS = 1_000;
    const proxy = await startTcpProxy(process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '');
    closing.push(() => proxy.close());
    const engine = await engineWith({ temporal: { address: proxy.address } });
    const it = await sceneOn(engine, Array(2).fill(slow(100)), {});
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is in the middle', () => it.sent() > 100);
    proxy.cut();
    await it.retries.control(id, 'rate', { ratePerSecond: 1_000 });
    await eventually('all is delivered', async () => (await it.retries.show(id)).counts.delivered === ITEMS);
    expect((await it.retries.show(id)).closedAt).toBeNull();
    proxy.forward();
    expect(await it.retries.ended(id, 40_000)).toMatchObject({ state: 'completed' });
    expect(new Set(perDelivery(it).values())).toEqual(new Set([1]));
  });
});

describe('connections to Postgres that are cut in the middle of a bulk retry', () => {
  test('cost nothing but what was being claimed just then: that counts as an attempt, and goes on', async () => {
    const ITEMS = 1_000;
    const engine = await engineWith({ sizes: { lease: { startWithinMs: 800, marginMs: 400 } } });
    const it = await sceneOn(engine, Array(3).fill(slow(80)), {
      timeoutMs: patient(1_000),
      retry: { maxAttempts: 9, initialMs: 10, factor: 1, capMs: 10 },
    });
    await it.seed(ITEMS);
    const { id } = await it.retries.start(ALL_FAILURES);
    for (const part of [1, 2, 3, 4]) {
      await eventually('it goes on', () => it.sent() > (ITEMS * part) / 6, { withinMs: 15_000 });
      await engine.database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name in ('redrive-worker', 'redrive-live', 'redrive-listen')`,
      );
    }
    expect(await it.retries.ended(id, 30_000)).toMatchObject({
      state: 'completed',
      counts: { expected: ITEMS, delivered: ITEMS },
    });
    const { rows } = await engine.database.pool.query(
      `select count(*) filter (where fault_code = 'lease_lost')::int as lost, count(*)::int as attempts
       from attempts a join executions e on e.id = a.execution_id where e.operation_id = $1`,
      [uuidIn('operation', id)],
    );
    expect(rows[0].attempts).toBe(ITEMS + rows[0].lost);
    const sent = perDelivery(it);
    expect(sent.size).toBe(ITEMS);
    expect(it.sent() - ITEMS).toBeLessThanOrEqual(rows[0].lost);
    for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
  });
});

describe('a request', () => {
  test('never outlives its lease, even where its time limit was changed a moment ago', async () => {
    const engine = await engineWith({ sizes: { lease: { startWithinMs: 500, marginMs: 500 } } });
    const it = await sceneOn(engine, [ok], {
      timeoutMs: 30_000,
      retry: { maxAttempts: 2, initialMs: 10, factor: 1, capMs: 10 },
    });
    await it.seed(2);
    const [first, second] = await it.ids();
    // The sender knows the endpoint, with its long limit, and goes by that for some seconds.
    await it.retries.ended((await it.retries.start({ select: { deliveryIds: [first] } })).id);
    it.receivers[0]?.switchTo(hang);
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.endpoints[0].id}`, {
      key: it.tenant.key,
      body: { timeoutMs: 300 },
    });
    const { id } = await it.retries.start({ select: { deliveryIds: [second] } });
    expect(await it.retries.ended(id)).toMatchObject({ counts: { failed: 1 } });
    expect(it.sent()).toBe(3);
    expect(it.receivers[0]?.maxOverlap).toBe(1);
    const { rows } = await engine.database.pool.query(
      `select fault_code from attempts a join executions e on e.id = a.execution_id
       where e.operation_id = $1`,
      [uuidIn('operation', id)],
    );
    expect(rows).toEqual([{ fault_code: 'timeout' }, { fault_code: 'timeout' }]);
  });
});

describe('a storm of single, bulk and automatic retries over the same deliveries', () => {
  /** Fails in every way that is tried again, more often than not. */
  function moody(random: () => number): Behaviour {
    const moods = [ok, slow(30), status(500), status(503), reset, hang, slow(5)];
    return { answer: (response) => (moods[Math.floor(random() * moods.length)] ?? ok).answer(response) };
  }

  test('sends nothing side by side, and every operation closes with counts that add up', async () => {
    const seed = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
    const random = mulberry32(seed);
    const engine = await engineWith({});
    await engine.addWorker();
    const it = await sceneOn(
      engine,
      Array.from({ length: 4 }, () => moody(random)),
      {
        timeoutMs: 200,
        retry: { maxAttempts: 3, initialMs: 40, factor: 2, capMs: 200 },
      },
    );
    await it.seed(300);
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: Array.from({ length: 60 }, (_, n) => ({ type: 'a.b', payload: n })),
    });
    const ids = await it.ids();
    const pick = (): string => ids[Math.floor(random() * ids.length)] as string;
    const operations: string[] = [];
    const start = async (body: Record<string, unknown>) => {
      const { id } = await it.retries.start(body);
      operations.push(id);
      return id as string;
    };
    const commands = ['pause', 'resume', 'cancel', 'resume'] as const;
    const bother = async (id: string) => {
      for (const verb of commands)
        if (random() < 0.4)
          // Refused where it has ended already: that is as good.
          await engine.client.call('POST', `/api/v1/retries/${id}/${verb}`, { key: it.tenant.key });
      await engine.client.call('POST', `/api/v1/retries/${id}/resume`, { key: it.tenant.key });
    };
    const gusts: (() => Promise<unknown>)[] = [
      () => start({ select: { deliveryIds: [pick()] } }),
      () => start({ select: { deliveryIds: [pick()] }, options: { takeOverScheduled: true } }),
      () => start({ select: { deliveryIds: Array.from({ length: 60 }, pick) } }),
      () => start(ALL_FAILURES).then(bother),
      () =>
        start({ select: { filter: { state: ['failed', 'pending'] } }, options: { takeOverScheduled: true } }),
      () => start({ select: { filter: { state: ['delivered', 'failed'] } }, mode: 'replay' }).then(bother),
      () => start({ ...ALL_FAILURES, options: { ratePerSecond: 200, maxConcurrency: 8 } }).then(bother),
    ];
    for (let gust = 0; gust < 10; gust++)
      await Promise.all(Array.from({ length: 6 }, () => gusts[Math.floor(random() * gusts.length)]?.()));
    try {
      for (const id of operations) await it.retries.ended(id, 40_000);
      for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBeLessThanOrEqual(1);
      expect(it.sent()).toBeGreaterThan(ids.length);
      const { rows } = await engine.database.pool.query(
        `select (select count(*)::int from claims) as claims,
          (select count(*)::int from attempts where fault_code = 'lease_lost') as lost,
          (select count(*)::int from executions where tenant_id = $1 and state = 'sending') as sending,
          (select count(*)::int from deliveries d where d.tenant_id = $1 and d.attempts <> (select count(*)
            from executions e join attempts a on a.execution_id = e.id where e.delivery_id = d.id)) as miscounted`,
        [uuidIn('tenant', it.tenant.id)],
      );
      expect(rows[0]).toMatchObject({ claims: 0, lost: 0, sending: 0, miscounted: 0 });
    } catch (error) {
      throw new Error(`STORM_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  });
});

/** A small random generator with a seed, so that a bad storm can be had again. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

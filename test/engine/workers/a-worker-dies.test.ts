import { afterEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { connectTestTemporal } from '../../support/engine/temporal-client.ts';
import { startTestEngine, type TestEngine } from '../../support/engine/test-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { eventually } from '../../support/eventually.ts';
import { patient } from '../../support/patience.ts';
import { mostInASecond } from '../../support/receivers/arrivals.ts';
import { type Behaviour, hang, held, ok, slow } from '../../support/receivers/receiver-behaviour.ts';

/**
 * A worker that dies in the middle of its operations: another goes on with them, by the same slice under the same control,
 * before Temporal has noticed anything. That it has not is asked of Temporal itself: it still counts the first try of the
 * step, and begins the second one 30 s after the death.
 */

const TIMEOUT_MS = patient(2_500);
const ENDPOINT = { timeoutMs: TIMEOUT_MS, retry: { maxAttempts: 1 } };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An item that the dead worker had claimed, and when its lease ends. */
interface Claimed {
  deliveryId: Id<'delivery'>;
  leaseUntil: Date;
}

/** An engine whose only worker is a process of its own, with operations at which it is. */
async function atWork(sizes: Parameters<typeof startTestEngine>[0] = {}) {
  const engine = await startTestEngine({ ...sizes, roles: { api: true, worker: false } });
  closing.push(() => engine.close());
  const worker = await startWorkerProcess(engine);
  closing.push(() => {
    if (worker.process.exitCode === null) worker.process.kill('SIGKILL');
    return worker.ended;
  });
  const temporal = await connectTestTemporal();
  closing.push(() => temporal.close());
  return {
    engine,
    /** Has the worker killed, and another one begin, which has no step of its operations; returns what was claimed. */
    async dies(): Promise<Claimed[]> {
      worker.process.kill('SIGKILL');
      await worker.ended;
      const claimed = await claimedNow(engine);
      // Swept as seldom as by default: the lease's end is looked for by itself.
      await engine.addWorker({ sweepEveryMs: 5_000 });
      return claimed;
    },
    /** Which try of its step a run is at, as Temporal sees it. */
    async tryOf(workflowId: string): Promise<number | undefined> {
      const { raw } = await temporal.handle(workflowId).describe();
      return raw.pendingActivities?.[0]?.attempt ?? undefined;
    },
  };
}

/** Items that are being sent, once all is done that the dead worker had asked Postgres for. */
async function claimedNow({ database: { pool } }: TestEngine): Promise<Claimed[]> {
  await eventually('what it had asked Postgres for is done', async () => {
    const { rows } = await pool.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'redrive-worker'`,
    );
    return rows.length === 0;
  });
  const { rows } = await pool.query<{ delivery_id: Id<'delivery'>; lease_until: Date }>(
    `select e.delivery_id, c.lease_until from claims c
     join executions e on e.id = any(c.execution_ids) and e.state = 'sending' and e.lease_token = c.token`,
  );
  return rows.map((row) => ({ deliveryId: row.delivery_id, leaseUntil: row.lease_until }));
}

async function sceneOn(engine: TestEngine, behaviours: Behaviour[], items: number): Promise<Scene> {
  const scene = await createScene(engine, behaviours, ENDPOINT);
  closing.push(() => scene.close());
  await scene.seed(items);
  return scene;
}

/** When each delivery was received, in order. */
function arrivals(it: Scene): Map<Id<'delivery'>, number[]> {
  const byDelivery = new Map<Id<'delivery'>, number[]>();
  for (const { requests } of it.receivers)
    for (const { id = '', at } of requests) {
      const deliveryId = uuidIn('delivery', id);
      byDelivery.set(deliveryId, [...(byDelivery.get(deliveryId) ?? []), at]);
    }
  return byDelivery;
}

test('what it had not claimed goes on first, and what it had claimed when its lease has ended; both before Temporal begins the step again, and nothing is sent side by side', async () => {
  const ITEMS = 1_200;
  const { engine, dies, tryOf } = await atWork();
  const it = await sceneOn(engine, Array(2).fill(slow(100)), ITEMS);
  const { id, workflowId } = await it.retries.start(ALL_FAILURES);
  await eventually('it is in the middle', () => it.sent() > ITEMS / 10, { withinMs: 20_000 });
  const claimed = await dies();
  const killedAt = Date.now();
  const leaseOf = new Map(claimed.map((each) => [each.deliveryId, each.leaseUntil.getTime()]));
  const before = arrivals(it);
  expect(claimed.length).toBeGreaterThan(0);
  expect(before.size).toBeLessThan(ITEMS);

  await eventually('all is delivered', async () => (await it.retries.show(id)).counts.delivered === ITEMS, {
    withinMs: 30_000,
  });
  expect(await tryOf(workflowId)).toBe(1);
  const after = arrivals(it);
  expect(after.size).toBe(ITEMS);
  const firstLease = Math.min(...leaseOf.values());
  const unclaimed = [...after].filter(([delivery]) => !before.has(delivery) && !leaseOf.has(delivery));
  const wentOnAt = Math.min(...unclaimed.flatMap(([, at]) => at).filter((at) => at > killedAt));
  expect(wentOnAt).toBeLessThan(firstLease);
  for (const [delivery, at] of after) {
    const lease = leaseOf.get(delivery);
    expect(at.length).toBe((lease === undefined ? 0 : (before.get(delivery)?.length ?? 0)) + 1);
    if (lease !== undefined) expect(at.at(-1)).toBeGreaterThanOrEqual(lease);
  }
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
  expect(await it.retries.ended(id, 60_000)).toMatchObject({
    state: 'completed',
    counts: { expected: ITEMS, delivered: ITEMS },
  });
});

test('a canary holds there as well: it is not judged by the death, and nothing else is sent before it has passed', async () => {
  const ITEMS = 200;
  const CANARIES = 5;
  const { engine, dies, tryOf } = await atWork();
  const it = await sceneOn(engine, [hang], ITEMS);
  const { id, workflowId } = await it.retries.start({
    ...ALL_FAILURES,
    options: { canary: { count: CANARIES, maxFailurePercent: 10 } },
  });
  await eventually('its canaries are on the wire', () => it.sent() === CANARIES, { withinMs: 20_000 });
  const receiver = held();
  it.receivers[0]?.switchTo(receiver);
  expect(await dies()).toHaveLength(CANARIES);
  await eventually('they are on the wire again', () => it.sent() === 2 * CANARIES, { withinMs: 30_000 });
  const { rows } = await engine.database.pool.query('select state, allowed - claimed as room from canaries');
  expect(rows).toEqual([{ state: 'testing', room: 0 }]);
  expect(it.sent()).toBe(2 * CANARIES);
  receiver.release(ok);
  await eventually('all is delivered', async () => (await it.retries.show(id)).counts.delivered === ITEMS, {
    withinMs: 20_000,
  });
  expect(await tryOf(workflowId)).toBe(1);
});

test('its pace and its control hold there, also a pause that is over before Temporal notices; what goes on ends when the step begins again', async () => {
  const RATE = 20;
  const { engine, dies, tryOf } = await atWork();
  const it = await sceneOn(engine, Array(2).fill(ok), 4_000);
  const { id, workflowId } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: RATE } });
  await eventually('it is in the middle', () => it.sent() > RATE, { withinMs: 20_000 });
  await dies();
  const { length: sentBefore } = it.receivers.flatMap(({ requests }) => requests);
  await eventually('another goes on', () => it.sent() > sentBefore + RATE, { withinMs: 15_000 });
  await it.retries.control(id, 'pause');
  await eventually('nothing of the living is on the wire', async () => (await aliveClaims(engine)) === 0);
  const sentAtPause = it.sent();
  await it.retries.control(id, 'resume');
  await eventually('it goes on after the pause', () => it.sent() > sentAtPause + RATE, { withinMs: 15_000 });
  expect(await tryOf(workflowId)).toBe(1);

  const ended = () => engine.log.some((line) => line.includes('operation.left_behind.ended'));
  await eventually('it gives way', ended, { withinMs: 60_000 });
  expect(await tryOf(workflowId)).toBe(2);
  expect(engine.log.filter((line) => line.includes('operation.left_behind.ended'))).toEqual([
    expect.stringContaining('"elsewhere":true'),
  ]);
  const sentThen = it.sent();
  await eventually('the step goes on', () => it.sent() > sentThen + RATE, { withinMs: 15_000 });
  await it.retries.control(id, 'cancel');
  await it.retries.ended(id, 60_000);
  const atMs = [...arrivals(it).values()].flat().sort((a, b) => a - b);
  // One more than the rate, and those that were held up on their way.
  expect(mostInASecond(atMs)).toBeLessThanOrEqual(RATE + 1 + Math.ceil((RATE * patient(100)) / 1_000));
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
});

/** Claims whose lease has not ended and that were made after a worker's death: their senders live. */
async function aliveClaims({ database: { pool } }: TestEngine): Promise<number> {
  const { rows } = await pool.query<{ alive: number }>(
    `select count(*)::int as alive from claims
     where lease_until > clock_timestamp() + $1::float8 * interval '1 millisecond'`,
    [TIMEOUT_MS],
  );
  return rows[0]?.alive ?? 0;
}

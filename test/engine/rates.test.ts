import { beforeAll, expect, test } from '@jest/globals';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { mostInASecond } from '../support/receivers/arrivals.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../support/use.ts';

/**
 * A receiver sees no more than the rate in any second, the first one included, and the rate is reached. `store/sending/pacing`
 * shows that grants never exceed it by the database's clock; here a request takes its time, and a busy machine pauses.
 */
const ON_THE_WAY_MS = patient(100);

const engine = useEngine();
const own = closedAfterEach();

beforeAll(async () => {
  await engine.addWorker();
});

async function scene(receivers: number, endpoint: Record<string, unknown> = {}): Promise<Scene> {
  return own(await createScene(engine, Array(receivers).fill(ok), endpoint));
}

function arrivals(it: Scene): number[] {
  return it.receivers.flatMap(({ requests }) => requests.map(({ at }) => at)).sort((a, b) => a - b);
}

/** The most requests that a receiver may see of a rate in a second: one more, and those held up on their way. */
function mostOf(ratePerSecond: number): number {
  return ratePerSecond + 1 + Math.ceil((ratePerSecond * ON_THE_WAY_MS) / 1_000);
}

/** How many a second from the first to the last. */
function rateOf(atMs: number[]): number {
  return ((atMs.length - 1) * 1_000) / ((atMs.at(-1) ?? 0) - (atMs[0] ?? 0));
}

function firstDeliveries(it: Scene, count: number) {
  return engine.client.expect(202, 'POST', '/api/v1/events', {
    key: it.tenant.key,
    body: Array.from({ length: count }, (_, n) => ({ type: 'a.b', payload: n })),
  });
}

test('five a second of an endpoint are five in its first second, too', async () => {
  const it = await scene(1, { ratePerSecond: 5 });
  await firstDeliveries(it, 14);
  await eventually('all are sent', () => it.sent() === 14);
  const atMs = arrivals(it);
  expect(mostInASecond(atMs)).toBeLessThanOrEqual(mostOf(5));
  expect(patient(rateOf(atMs))).toBeGreaterThan(0.6 * 5);
});

test('twenty a second of an operation are so in each second, over all of its endpoints, and are reached', async () => {
  const it = await scene(3);
  await it.seed(80);
  const { id } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 20 } });
  await it.retries.ended(id, 20_000);
  const atMs = arrivals(it);
  expect(mostInASecond(atMs)).toBeLessThanOrEqual(mostOf(20));
  expect(patient(rateOf(atMs))).toBeGreaterThan(0.6 * 20);
});

test('live and bulk work together keep within the rate of an endpoint, and live work gets through', async () => {
  const it = await scene(1, { ratePerSecond: 20 });
  await it.seed(60);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => it.sent() >= 10);
  const waits: number[] = [];
  for (let n = 0; n < 4; n++) {
    const since = Date.now();
    const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a.b', payload: { live: n } },
    });
    expect(accepted.body.deliveries).toBe(1);
    const isIt = ({ body }: { body: Buffer }) => body.toString() === `{"live":${n}}`;
    await it.receivers[0]?.waitFor(({ requests }) => requests.some(isIt));
    waits.push((it.receivers[0]?.requests.find(isIt)?.at ?? 0) - since);
  }
  const bulkLeft = 60 - (it.sent() - 4);
  await it.retries.ended(id, 20_000);
  const atMs = arrivals(it);
  expect(atMs).toHaveLength(64);
  expect(mostInASecond(atMs)).toBeLessThanOrEqual(mostOf(20));
  expect(patient(rateOf(atMs))).toBeGreaterThan(0.6 * 20);
  // Bulk work had more to send all the while.
  expect(bulkLeft).toBeGreaterThan(0);
  expect(Math.min(...waits)).toBeLessThan(patient(1_000));
});

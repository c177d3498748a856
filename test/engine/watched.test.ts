import { expect, test } from '@jest/globals';
import { ALL_FAILURES } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { hang, ok, status } from '../support/receivers/receiver-behaviour.ts';

/** A retry of many that begins carefully: a canary, a rate that grows, and an end to it when too much fails. */

const engine = useEngine();
const scene = useScenes(engine);

const canary = (count: number, maxFailurePercent: number) => ({
  ...ALL_FAILURES,
  options: { canary: { count, maxFailurePercent } },
});

test('a canary that fails holds the other items of its endpoint, those of others go on, and then it is halted', async () => {
  const it = await scene([ok, status(400)]);
  await it.seed(200);
  const { id } = await it.retries.start(canary(5, 10));
  const halted = await it.retries.reaches(id, ['halted']);
  expect(halted).toMatchObject({
    control: 'pause',
    counts: { delivered: 100, failed: 5, queued: 95 },
    halt: {
      reason: 'canary',
      limitPercent: 10,
      endpoints: [{ endpointId: it.endpoints[1].id, attempts: 5, bad: 5 }],
    },
  });
  expect(it.receivers.map(({ requests }) => requests.length)).toEqual([100, 5]);

  it.receivers[1]?.switchTo(ok);
  await it.retries.control(id, 'resume');
  const ended = await it.retries.ended(id);
  expect(ended).toMatchObject({ counts: { delivered: 195, failed: 5 }, halt: {} });
  const trail = {
    requestedBy: ended.requestedBy,
    controls: [
      { did: 'halt', by: 'redrive' },
      { did: 'resume', by: ended.requestedBy },
    ],
    halts: [{ reason: 'canary', endpoints: [{ endpointId: it.endpoints[1].id, attempts: 5, bad: 5 }] }],
    endpointCount: 2,
    causes: [{ state: 'failed', faultCode: 'http_4xx', httpStatus: 400, items: 5 }],
  };
  expect(ended).toMatchObject(trail);
  expect(await it.retries.report(id)).toMatchObject({ ...trail, select: { filter: {} } });
  const events = engine.log
    .map((line) => JSON.parse(line))
    .filter(({ operationId, event }) => operationId === id && event.startsWith('operation.'));
  expect(events).toMatchObject([
    { event: 'operation.accepted' },
    { event: 'operation.halted', by: 'redrive', reason: 'canary', limitPercent: 10, attempts: 5, bad: 5 },
    { event: 'operation.resumed' },
    { event: 'operation.closed', state: ended.state, counts: { delivered: 195, failed: 5 } },
  ]);
});

test('a canary that does well lets everything go, at each endpoint by itself', async () => {
  const it = await scene([ok, ok, ok]);
  await it.seed(300);
  const { id } = await it.retries.start(canary(3, 0));
  expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 300 }, halt: null });
});

test('no endpoint gets more than its canary before that has come back', async () => {
  const it = await scene([hang], { timeoutMs: 1_000 });
  await it.seed(100);
  const { id } = await it.retries.start(canary(4, 50));
  await eventually('the canary is out', () => it.sent() === 4);
  const halted = await it.retries.reaches(id, ['halted']);
  expect(it.sent()).toBe(4);
  expect(halted.halt.endpoints).toMatchObject([{ attempts: 4, bad: 4 }]);
  await it.retries.control(id, 'cancel');
  expect(await it.retries.ended(id)).toMatchObject({ state: 'cancelled', counts: { cancelled: 96 } });
});

test('an operation that fails too much is halted with its numbers, and is cancelled like any other', async () => {
  const it = await scene([status(400)]);
  await it.seed(3_000);
  const { id } = await it.retries.start({
    ...ALL_FAILURES,
    options: { haltAtFailurePercent: 50, ratePerSecond: 200 },
  });
  const halted = await it.retries.reaches(id, ['halted']);
  expect(halted.halt).toMatchObject({ reason: 'failure_rate', limitPercent: 50 });
  expect(halted.halt.attempts).toBeGreaterThanOrEqual(50);
  expect(halted.halt.bad).toBe(halted.halt.attempts);
  expect(it.sent()).toBeLessThan(3_000);
  await it.retries.control(id, 'cancel');
  const ended = await it.retries.ended(id);
  expect(ended.counts.failed + ended.counts.cancelled).toBe(3_000);
});

test('an operation that is resumed is judged by its attempts from then on', async () => {
  const it = await scene([status(400)]);
  await it.seed(1_000);
  const { id } = await it.retries.start({
    ...ALL_FAILURES,
    options: { haltAtFailurePercent: 50, ratePerSecond: 200 },
  });
  await it.retries.reaches(id, ['halted']);
  it.receivers[0]?.switchTo(ok);
  await eventually('nothing is in flight', async () => (await it.retries.show(id)).counts.sending === 0);
  await it.retries.control(id, 'rate', { ratePerSecond: null });
  await it.retries.control(id, 'resume');
  const ended = await it.retries.ended(id);
  expect(ended.counts.delivered).toBeGreaterThan(0);
  expect(ended.counts.delivered + ended.counts.failed).toBe(1_000);
});

test('a ramp doubles its rate while all goes well, up to the one that was asked for', async () => {
  const it = await scene([ok]);
  await it.seed(400);
  const { id, ratePerSecond } = await it.retries.start({
    ...ALL_FAILURES,
    options: { ramp: { startPerSecond: 20, everySeconds: 1 }, ratePerSecond: 160 },
  });
  expect(ratePerSecond).toBe(20);
  const seen = new Set<number>();
  await eventually('it is at its rate', async () => {
    seen.add((await it.retries.show(id)).ratePerSecond);
    return seen.has(160);
  });
  expect([...seen]).toEqual([20, 40, 80, 160]);
  expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 400 } });
});

test('a ramp stays where it is while too much fails', async () => {
  const it = await scene([status(400)]);
  await it.seed(100);
  const { id } = await it.retries.start({
    ...ALL_FAILURES,
    options: { ramp: { startPerSecond: 30, everySeconds: 1 } },
  });
  expect(await it.retries.ended(id)).toMatchObject({ ratePerSecond: 30, counts: { failed: 100 } });
});

import { afterEach, expect, test } from '@jest/globals';
import { retriesOf } from '../support/api/retries.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { startWorkerProcess } from '../support/engine/worker-process.ts';
import { eventually } from '../support/eventually.ts';
import { TIME_TO_ANSWER_MS } from '../support/patience.ts';
import { postAck, signAck } from '../support/receivers/acknowledge.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import { type Behaviour, moody, ok, reset, slow, status } from '../support/receivers/receiver-behaviour.ts';

/** An ordered endpoint gets the events of one key in the order of their numbers, whatever fails; other keys flow on. */

const engine = useEngine();
const receivers: Receiver[] = [];
let tenants = 0;

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())));

async function scene(behaviour: Behaviour, endpoint: Record<string, unknown> = {}) {
  tenants += 1;
  const tenant = await engine.client.newTenant(`ordered-${tenants}`);
  const receiver = await startReceiver(behaviour);
  receivers.push(receiver);
  const made = await engine.client.newEndpoint(tenant.key, {
    url: receiver.url('/hook'),
    ordered: true,
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 3, initialMs: 20, factor: 1, capMs: 20 },
    ...endpoint,
  });
  /** Events of these keys, each with its place in the payload. */
  const send = async (keys: string[]) =>
    (
      await engine.client.expect(202, 'POST', '/api/v1/events', {
        key: tenant.key,
        body: keys.map((key, n) => ({ type: 'a.b', key, payload: { n } })),
      })
    ).body as { eventId: string }[];
  const post = (event: Record<string, unknown>) =>
    engine.client.expect(202, 'POST', '/api/v1/events', { key: tenant.key, body: event });
  const change = (body: Record<string, unknown>) =>
    engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${made.id}`, { key: tenant.key, body });
  /** The places that were acknowledged, by key, in the order in which they came. */
  const taken = () => {
    const byKey = new Map<string, number[]>();
    for (const { body, answered = 0 } of receiver.requests) {
      if (answered < 200 || answered > 299) continue;
      const { key, n } = JSON.parse(body.toString('utf8')) as { key?: string; n: number };
      byKey.set(key ?? '', [...(byKey.get(key ?? '') ?? []), n]);
    }
    return byKey;
  };
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  const deliveries = async (state?: string): Promise<any[]> =>
    (
      await engine.client.expect(
        200,
        'GET',
        `/api/v1/deliveries?limit=200${state ? `&state=${state}` : ''}`,
        {
          key: tenant.key,
        },
      )
    ).body.items;
  /** Its newest. */
  const executionOf = async (id: string) =>
    (
      await engine.client.expect(200, 'GET', `/api/v1/deliveries/${id}`, { key: tenant.key })
    ).body.executions.at(-1);
  /** It was looked at, and put off for a minute; returns when it would be looked at again. */
  const putOff = async (id: string): Promise<number> => {
    let until = 0;
    await eventually('the next is put off', async () => {
      until = Date.parse((await executionOf(id)).dueAt);
      return until > Date.now() + 30_000;
    });
    return until;
  };
  /** It is delivered, and no look that it was put off to had to come for that. */
  const follows = async (id: string, before: number) => {
    await eventually('it is delivered', async () => (await executionOf(id)).state === 'delivered', {
      withinMs: 15_000,
    });
    expect(Date.parse((await executionOf(id)).finishedAt)).toBeLessThan(before);
  };
  return {
    post,
    change,
    putOff,
    follows,
    tenant,
    receiver,
    endpoint: made,
    send,
    taken,
    deliveries,
    retries: retriesOf(engine.client, tenant.key),
  };
}

function sorted(places: number[]): number[] {
  return [...places].sort((a, b) => a - b);
}

test('first deliveries of one key come in their order although many of them fail at first, and other keys flow on', async () => {
  const it = await scene(moody(0.3), { retry: { maxAttempts: 30, initialMs: 5, factor: 1, capMs: 5 } });
  const keys = Array.from({ length: 60 }, (_, n) => `key-${n % 6}`);
  await it.send(keys);
  await it.receiver.waitFor(() => [...it.taken().values()].flat().length === 60, 60_000);
  const places = [...it.taken().values()].flat();
  expect(sorted(places)).toEqual(keys.map((_, n) => n));
  // Within one key, the places rise.
  for (let key = 0; key < 6; key++) {
    const own = places.filter((n) => n % 6 === key);
    expect(own).toEqual(sorted(own));
  }
  expect(it.receiver.maxOverlap).toBe(1);
});

test('a delivery that failed for good blocks those of its key behind it, is named by them, and is found by a recovery', async () => {
  const it = await scene(status(400));
  await it.send(['a', 'a', 'a', 'b']);
  await eventually(
    'the first of each key has failed',
    async () => (await it.deliveries('failed')).length === 2,
  );
  const waiting = await it.deliveries('pending');
  expect(waiting).toHaveLength(2);
  const [head] = (await it.deliveries('failed')).filter(({ event }) => event.key === 'a');
  for (const { id } of waiting) {
    const shown = await engine.client.expect(200, 'GET', `/api/v1/deliveries/${id}`, { key: it.tenant.key });
    expect(shown.body.executions[0].blockedBy).toBe(head.id);
  }
  expect(it.receiver.requests).toHaveLength(2);

  it.receiver.switchTo(ok);
  const { id, counts } = await it.retries.start({ select: { filter: { blocking: true } } });
  expect(counts.expected).toBe(0);
  const ended = await it.retries.ended(id);
  expect(ended.counts).toMatchObject({ expected: 1, delivered: 1 });
  await eventually(
    'those behind it have followed',
    async () => (await it.deliveries('pending')).length === 0,
  );
  const bodies = it.receiver.requests.slice(2).map(({ body }) => JSON.parse(body.toString('utf8')).n);
  expect(bodies).toEqual([0, 1, 2]);
});

test.each(['acknowledged', 'resolved'])(
  'when an unknown delivery is %s, the next follows at once',
  async (how) => {
    const it = await scene(reset, { onAmbiguous: 'hold' });
    await it.send(['a', 'a', 'a']);
    await eventually('the first is unknown', async () => (await it.deliveries('unknown')).length === 1);
    const [head] = await it.deliveries('unknown');
    const [behind] = await it.deliveries('pending');
    const until = await it.putOff(behind.id);

    it.receiver.switchTo(ok);
    if (how === 'acknowledged') await postAck(engine, signAck(it.endpoint, head.id));
    else
      await engine.client.expect(200, 'POST', `/api/v1/deliveries/${head.id}/resolve`, {
        key: it.tenant.key,
        body: { outcome: 'delivered', confirm: true },
      });
    await it.follows(behind.id, until);
    await eventually('all are delivered', async () => (await it.deliveries('delivered')).length === 3);
    expect(it.receiver.requests.map(({ body }) => JSON.parse(body.toString('utf8')).n)).toEqual([0, 1, 2]);
  },
);

type Scene = Awaited<ReturnType<typeof scene>>;
const FIRST = { id: 'first', type: 'a.b', key: 'a', payload: { n: 0 } };

test.each<[string, Record<string, unknown>, (it: Scene, operationId: string) => Promise<unknown>]>([
  ['its order is given up', {}, (it) => it.change({ ordered: false })],
  ['what failed is to be skipped', {}, (it) => it.change({ onExhausted: 'skip' })],
  [
    'its sender corrects the key of the failed one',
    {},
    (it) => it.post({ ...FIRST, key: 'b', payload: { n: 1 } }),
  ],
  [
    'the operation that held it is cancelled',
    { onExhausted: 'skip' },
    (it, operationId) => it.retries.control(operationId, 'cancel'),
  ],
])('what waits behind a failed delivery follows at once when %s', async (_what, endpoint, act) => {
  const it = await scene(status(400), endpoint);
  await it.post(FIRST);
  await eventually('the first has failed', async () => (await it.deliveries('failed')).length === 1);
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  const held =
    'onExhausted' in endpoint
      ? await it.retries.start({ select: { filter: {} }, options: { notBefore } })
      : undefined;
  if (held) await it.retries.reaches(held.id, ['running']);
  it.receiver.switchTo(ok);
  await it.send(['a']);
  const [behind] = await it.deliveries('pending');
  const until = await it.putOff(behind.id);
  await act(it, held?.id);
  await it.follows(behind.id, until);
});

test('a replay of what was delivered follows at once when what failed before it is delivered', async () => {
  const it = await scene(status(400), { onExhausted: 'skip' });
  await it.send(['a']);
  await eventually('the first has failed', async () => (await it.deliveries('failed')).length === 1);
  it.receiver.switchTo(ok);
  await it.send(['a']);
  await eventually('the second is delivered', async () => (await it.deliveries('delivered')).length === 1);
  const [head] = await it.deliveries('failed');
  const [behind] = await it.deliveries('delivered');
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  const held = await it.retries.start({ select: { deliveryIds: [head.id] }, options: { notBefore } });
  const replay = await it.retries.start({ select: { deliveryIds: [behind.id] }, mode: 'replay' });
  const until = await it.putOff(behind.id);
  await postAck(engine, signAck(it.endpoint, head.id));
  await it.follows(behind.id, until);
  for (const { id } of [held, replay]) await it.retries.ended(id);
});

test('a retry of some that failed and are skipped passes the others at once', async () => {
  const it = await scene(status(400), { onExhausted: 'skip' });
  await it.send(Array.from({ length: 9 }, () => 'a'));
  await eventually('all have failed', async () => (await it.deliveries('failed')).length === 9);
  const failed = (await it.deliveries('failed')).sort((a, b) => a.event.number - b.event.number);
  it.receiver.switchTo(slow(20));
  const before = it.receiver.requests.length;
  const { id } = await it.retries.start({
    select: { deliveryIds: failed.filter((_, at) => at % 2 === 0).map((delivery) => delivery.id) },
  });
  expect(await it.retries.ended(id, 20_000)).toMatchObject({ counts: { delivered: 5 } });
  const bodies = it.receiver.requests.slice(before).map(({ body }) => JSON.parse(body.toString('utf8')).n);
  expect(bodies).toEqual([0, 2, 4, 6, 8]);
});

test('deliveries behind a failed one pass where it is to be skipped', async () => {
  let first = true;
  const it = await scene(
    {
      answer(response) {
        const behaviour = first ? status(400) : ok;
        first = false;
        behaviour.answer(response);
      },
    },
    { onExhausted: 'skip' },
  );
  await it.send(['a', 'a', 'a']);
  await eventually('the others are delivered', async () => (await it.deliveries('delivered')).length === 2);
  expect(it.receiver.requests.map(({ body }) => JSON.parse(body.toString('utf8')).n)).toEqual([0, 1, 2]);
});

test('a bulk retry keeps the order, too, on two workers of which one is killed in the middle', async () => {
  const it = await scene(status(400), { onExhausted: 'skip' });
  const keys = Array.from({ length: 200 }, (_, n) => `key-${n % 20}`);
  await it.send(keys);
  await eventually('all have failed', async () => (await it.deliveries('failed')).length === 200, {
    withinMs: 60_000,
  });
  const before = it.receiver.requests.length;
  it.receiver.switchTo(slow(20));
  const other = await startWorkerProcess(engine, { lease: { startWithinMs: 800, marginMs: 400 } });
  try {
    const { id } = await it.retries.start({ select: { filter: {} } });
    await it.receiver.waitFor(({ requests }) => requests.length > before + 40, 30_000);
    other.process.kill('SIGKILL');
    expect(await it.retries.ended(id, 80_000)).toMatchObject({ counts: { delivered: 200 } });
  } finally {
    other.process.kill('SIGKILL');
    await other.ended;
  }
  // Each delivery counts where it came first: one that a killed worker had claimed may come again.
  const first = new Map<number, number>();
  for (const [at, { body }] of it.receiver.requests.slice(before).entries()) {
    const { n } = JSON.parse(body.toString('utf8'));
    if (!first.has(n)) first.set(n, at);
  }
  for (let key = 0; key < 20; key++) {
    const own = [...first.keys()].filter((n) => n % 20 === key);
    expect(own).toEqual(sorted(own));
  }
  expect(it.receiver.maxOverlap).toBe(1);
});

test('an endpoint that did not ask for order has none', async () => {
  const it = await scene(status(400), { ordered: false });
  await it.send(['a', 'a', 'a']);
  await eventually('all have failed', async () => (await it.deliveries('failed')).length === 3);
});

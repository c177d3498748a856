import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { slow, status } from '../support/receivers/receiver-behaviour.ts';

/** A change of an endpoint counts from the answer on, on every worker, in the middle of whatever is sent. */

const engine = useEngine();
let it: Scene;

beforeAll(async () => {
  await engine.addWorker();
});
afterAll(async () => {
  await it.close();
});

type Received = Scene['receivers'][number]['requests'][number];

function isSignedWith(secret: string, { body, headers }: Received): boolean {
  try {
    new Webhook(secret).verify(body.toString(), headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function rotate(oldValidForMs: number) {
  const endpoint = it.endpoints[0];
  const rotated = await engine.client.expect(200, 'POST', `/api/v1/endpoints/${endpoint.id}/rotate-secret`, {
    key: it.tenant.key,
    body: { oldValidForMs },
  });
  const secret: string = rotated.body.secret;
  return { secret, answeredAt: Date.now() };
}

test('an old secret without a grace period signs nothing more, one with a grace period signs together with the new one', async () => {
  it = await createScene(engine, [slow(20)], { maxConcurrency: 24 });
  const requests = () => it.receivers[0]?.requests ?? [];
  const [first] = it.endpoints;
  await it.seed(4_100);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => it.sent() > 100, { withinMs: 20_000 });

  const second = await rotate(600_000);
  const received = (after: number) => requests().filter(({ at }) => at > after);
  await eventually('both sign', () => received(second.answeredAt).length > 40);
  const askedAt = Date.now();
  const third = await rotate(0);
  await eventually('the third signs', () => received(third.answeredAt).length > 50);
  await it.retries.control(id, 'cancel');
  await it.retries.ended(id);

  const overlapping = received(second.answeredAt).filter(({ at }) => at < askedAt);
  const afterwards = received(third.answeredAt);
  expect(overlapping.length).toBeGreaterThan(20);
  for (const request of overlapping)
    expect([first.secret, second.secret].map((secret) => isSignedWith(secret, request))).toEqual([
      true,
      true,
    ]);
  for (const request of afterwards) {
    expect(isSignedWith(third.secret, request)).toBe(true);
    expect(isSignedWith(second.secret, request)).toBe(false);
    expect(isSignedWith(first.secret, request)).toBe(false);
  }
});

test('a 202 settles nothing from the moment on that it is not to', async () => {
  it.receivers[0]?.switchTo(status(202));
  const send = async () => {
    const { body } = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a.b', payload: {} },
    });
    const shown = await engine.client.expect(200, 'GET', `/api/v1/events/${body.eventId}`, it.tenant);
    const path = `/api/v1/deliveries/${shown.body.deliveries[0].id}`;
    let state = '';
    await eventually('its outcome is recorded', async () => {
      state = (await engine.client.expect(200, 'GET', path, it.tenant)).body.state;
      return state !== 'pending';
    });
    return state;
  };
  expect(await send()).toBe('delivered');
  for (const requireAck of [true, false]) {
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.endpoints[0].id}`, {
      key: it.tenant.key,
      body: { requireAck },
    });
    expect(await send()).toBe(requireAck ? 'unknown' : 'delivered');
  }
});

import { expect, test } from '@jest/globals';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** A bulk replay under a new identity, as receivers and callers see it. */

const engine = useEngine({ checked: true });
const newScene = useScenes(engine);

const FAILED = { select: { filter: { state: ['failed'] } }, mode: 'replay', newIdentity: true };

test('each receiver gets the event under an id that it has not had, and everything names both', async () => {
  const it = await newScene([ok, ok]);
  await it.seed(60);
  const old = new Set((await it.ids()).map(String));
  const { id } = await it.retries.start(FAILED);
  const ended = await it.retries.ended(id);
  expect(ended).toMatchObject({
    newIdentity: true,
    state: 'completed',
    counts: { expected: 60, delivered: 60 },
  });
  const received = it.receivers.flatMap(({ requests }) => requests.map((request) => request.id ?? ''));
  expect(received).toHaveLength(60);
  const lines = await it.retries.items(id);
  expect(new Set(lines.map(({ newDeliveryId }) => newDeliveryId))).toEqual(new Set(received));
  const shown = await it.ids('operation_id is null');
  expect(new Set(shown.map(String))).toEqual(old);
  for (const { deliveryId, newDeliveryId } of lines.slice(0, 5)) {
    expect(received).not.toContain(deliveryId);
    const answer = await engine.client.expect(200, 'GET', `/api/v1/deliveries/${newDeliveryId}`, {
      key: it.tenant.key,
    });
    expect(answer.body).toMatchObject({ replayOf: deliveryId, state: 'delivered' });
    const proof = (path: string) =>
      engine.client.expect(200, 'GET', `/api/v1/retries/${id}/items/${path}/proof`, { key: it.tenant.key });
    expect((await proof(deliveryId)).body).toEqual((await proof(newDeliveryId)).body);
    const stranger = await engine.client.call('GET', `/api/v1/deliveries/${newDeliveryId}`, {
      key: (await newScene([])).tenant.key,
    });
    expect(stranger.status).toBe(404);
  }
  // The first ones stay as they were.
  expect(await it.ids(`state = 'failed'`)).toHaveLength(60);
});

test('a plan shows it, and its execution makes what it showed', async () => {
  const it = await newScene([ok]);
  await it.seed(5);
  const key = it.tenant.key;
  const asked = await engine.client.expect(201, 'POST', '/api/v1/retries/plans', { key, body: FAILED });
  const path = `/api/v1/retries/plans/${asked.body.id}`;
  const plan = (await engine.client.expect(200, 'GET', `${path}?wait=5`, { key })).body;
  expect(plan).toMatchObject({ newIdentity: true, count: { items: 5 }, identity: { newIdentity: true } });
  await engine.client.expect(202, 'POST', `${path}/execute`, { key, body: { planHash: plan.planHash } });
  expect(await it.retries.ended(plan.operationId)).toMatchObject({ counts: { delivered: 5 } });
  const sent = it.receivers.flatMap(({ requests }) => requests.map((request) => request.id));
  const lines = await it.retries.items(plan.operationId);
  expect(new Set(sent)).toEqual(new Set(lines.map(({ newDeliveryId }) => newDeliveryId)));
});

test('an explicit list says at once which delivery is sent in the place of each', async () => {
  const it = await newScene([ok]);
  await it.seed(2);
  const answer = await it.retries.start({
    ...FAILED,
    select: { deliveryIds: await it.ids() },
  });
  await it.retries.ended(answer.id);
  const sent = it.receivers.flatMap(({ requests }) => requests.map((request) => request.id));
  expect(answer.items.map((item: { newDeliveryId: string }) => item.newDeliveryId).sort()).toEqual(
    sent.sort(),
  );
});

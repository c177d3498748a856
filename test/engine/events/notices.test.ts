import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { readCheckpoints } from '../../../clients/typescript/src/proof/checkpoints.ts';
import { govern } from '../../support/api/governed.ts';
import { ALL_FAILURES, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { type Receiver, startReceiver } from '../../support/receivers/receiver.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../../support/use.ts';

/** Notices of operations, as events through Redrive itself. */

const engine = useEngine({ checked: true });
const newScene = useScenes(engine);
const own = closedAfterEach();

async function listener(it: Scene, eventTypes: string[]): Promise<{ receiver: Receiver; secret: string }> {
  const receiver = own(await startReceiver(ok));
  const { secret } = await engine.client.newEndpoint(it.tenant.key, {
    ...{ url: receiver.url('/told'), eventTypes, timeoutMs: TIME_TO_ANSWER_MS, retry: { maxAttempts: 1 } },
  });
  return { receiver, secret };
}

const bodies = ({ requests }: Receiver) => requests.map(({ body }) => JSON.parse(body.toString()));

test('who names the type is told of the end of an operation: signed as every delivery, with the end of the audit chain', async () => {
  const it = await newScene([ok]);
  const { receiver, secret } = await listener(it, ['operation.closed']);
  const silent = await listener(it, ['operation.*']);
  await it.seed(20);
  const { id } = await it.retries.start({ select: { filter: {} }, reason: 'the receiver was down' });
  const ended = await it.retries.ended(id);
  await receiver.waitFor(({ requests }) => requests.length === 1);
  const [request] = receiver.requests;
  const text = request?.body.toString() ?? '';
  expect(new Webhook(secret).verify(text, request?.headers as Record<string, string>)).toBeTruthy();
  const [told] = bodies(receiver);
  expect(told).toMatchObject({
    type: 'operation.closed',
    tenant: it.tenant.id,
    data: {
      operationId: id,
      kind: 'retry',
      state: 'completed',
      counts: ended.counts,
      report: { digest: (await it.retries.report(id)).signature.digest },
      link: `/api/v1/retries/${id}`,
    },
  });
  expect(text).not.toContain('the receiver was down');
  const keys = (await engine.client.expect(200, 'GET', '/.well-known/redrive/jwks.json')).body;
  expect(readCheckpoints([{ name: 'told', text }], keys)).toMatchObject({
    ok: true,
    signed: 1,
    checkpoints: [{ tenant: it.tenant.id, number: told.audit.number, hash: told.audit.hash }],
  });
  await engine.client.expect(200, 'GET', told.data.link, { key: it.tenant.key });
  expect(silent.receiver.requests).toEqual([]);
});

test('a notice that failed is delivered by a retry, of which nobody is told', async () => {
  const it = await newScene([ok]);
  const { receiver } = await listener(it, ['operation.closed']);
  receiver.switchTo(status(500));
  await it.seed(3);
  await it.retries.ended((await it.retries.start({ select: { filter: {} } })).id);
  const failures = async () =>
    (await engine.client.expect(200, 'GET', '/api/v1/deliveries?state=failed', { key: it.tenant.key })).body
      .items;
  await eventually('the notice has failed', async () => (await failures()).length === 1);
  receiver.switchTo(ok);
  const { id } = await it.retries.start({ select: { filter: { state: ['failed'] } } });
  expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 1 } });
  expect(await failures()).toEqual([]);
  // One more operation, which is told: nothing was told between the two.
  await it.seed(1);
  const last = await it.retries.start({ select: { filter: { state: ['failed'] } } });
  await it.retries.ended(last.id);
  await receiver.waitFor(({ requests }) => requests.length === 3);
  const told = bodies(receiver).map(({ data }) => data.operationId);
  expect(told[0]).toBe(told[1]);
  expect(told[2]).toBe(last.id);
});

test('a canary that fails is told with its numbers', async () => {
  const it = await newScene([status(500)]);
  const { receiver } = await listener(it, ['operation.halted', 'operation.closed']);
  await it.seed(10);
  const { id } = await it.retries.start({
    select: { filter: {} },
    options: { canary: { count: 2, maxFailurePercent: 10 } },
  });
  await it.retries.reaches(id, ['halted']);
  await receiver.waitFor(({ requests }) => requests.length === 1);
  expect(bodies(receiver)).toMatchObject([
    {
      type: 'operation.halted',
      data: { operationId: id, halt: { reason: 'canary', limitPercent: 10, attempts: 2, bad: 2 } },
    },
  ]);
  await it.retries.control(id, 'cancel');
  await it.retries.ended(id);
  await receiver.waitFor(({ requests }) => requests.length === 2);
  expect(bodies(receiver)[1]).toMatchObject({ type: 'operation.closed', data: { state: 'cancelled' } });
});

test('approvers are told what waits for them, with its hash, and others what was said to it', async () => {
  const it = await newScene([ok]);
  const { receiver } = await listener(it, [
    'operation.awaiting_approval',
    'operation.approved',
    'operation.rejected',
  ]);
  const by = govern(engine, it.tenant);
  await by.set({ approveAbove: 2 });
  await it.seed(5, [0]);
  const told = async (count: number) => {
    await receiver.waitFor(({ requests }) => requests.length === count);
    return bodies(receiver).slice(count - 2);
  };
  const first = await it.retries.start(ALL_FAILURES);
  const { planHash } = (await by.waiting(first.id)).approval;
  const carol = await by.person('carol');
  await by.say(first.id, 'reject', carol, { comment: 'not tonight' });
  const sorted = (some: { type: string }[]) => [...some].sort((a, b) => a.type.localeCompare(b.type));
  expect(sorted(await told(2))).toMatchObject([
    {
      type: 'operation.awaiting_approval',
      data: { operationId: first.id, planHash, items: 5, because: ['items'], approvers: 1 },
    },
    { type: 'operation.rejected', data: { operationId: first.id, planHash } },
  ]);
  const second = await it.retries.start(ALL_FAILURES);
  await by.approve(second.id);
  await it.retries.ended(second.id);
  expect(sorted(await told(4))).toMatchObject([
    { type: 'operation.approved', data: { operationId: second.id } },
    { type: 'operation.awaiting_approval', data: { operationId: second.id } },
  ]);
  expect(receiver.requests.map(({ body }) => body.toString()).join()).not.toContain('not tonight');
});

test('nobody else sends an event of these types', async () => {
  const it = await newScene([ok]);
  const body = (type: string) => ({ type, payload: {} });
  const sent = (type: string) =>
    engine.client.call('POST', '/api/v1/events', { key: it.tenant.key, body: body(type) });
  const refused = await sent('operation.closed');
  expect(refused).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ pointer: '#/type', code: 'wrong_format' }] },
  });
  expect((await sent('operation.begun')).status).toBe(202);
});

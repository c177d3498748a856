import { afterEach, describe, expect, test } from '@jest/globals';
import { recordOutcomes } from '../../src/store/settling/outcomes.ts';
import { retriesOf, uuidIn } from '../support/api/retries.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient, TIME_TO_ANSWER_MS } from '../support/patience.ts';
import { postAck as postAckTo, signAck } from '../support/receivers/acknowledge.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import {
  type Behaviour,
  hang,
  held,
  ok,
  okWith,
  reset,
  status,
} from '../support/receivers/receiver-behaviour.ts';

/** A delivery whose outcome nobody knows is asked for, waited for, or acknowledged, at any time. */

const engine = useEngine();
const receivers: Receiver[] = [];
let tenants = 0;

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())));

/** A tenant with one endpoint, and one event sent to it. */
async function scene(behaviour: Behaviour, endpoint: Record<string, unknown> = {}, probe?: Behaviour) {
  tenants += 1;
  const tenant = await engine.client.newTenant(`unknown-${tenants}`);
  const receiver = await startReceiver(behaviour, { paths: probe ? { '/status': probe } : {} });
  receivers.push(receiver);
  const made = await engine.client.newEndpoint(tenant.key, {
    url: receiver.url('/hook'),
    // One that never answers is given up soon, any other is not, however busy the machine is.
    timeoutMs: behaviour === hang ? 1_000 : TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 3, initialMs: 10, factor: 1, capMs: 10 },
    ...(probe
      ? {
          onAmbiguous: 'probe',
          probe: { urlTemplate: receiver.url('/status?id={deliveryId}'), processedField: 'result.processed' },
        }
      : {}),
    ...endpoint,
  });
  const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', {
    key: tenant.key,
    body: { type: 'a.b', payload: { n: 1 } },
  });
  const event = await engine.client.expect(200, 'GET', `/api/v1/events/${accepted.body.eventId}`, tenant);
  const id: string = event.body.deliveries[0].id;
  const show = async () =>
    (await engine.client.expect(200, 'GET', `/api/v1/deliveries/${id}`, { key: tenant.key })).body;
  const becomes = async (state: string, withinMs = 10_000) => {
    // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
    let seen: any;
    await eventually(
      `the delivery is ${state}`,
      async () => {
        seen = await show();
        return seen.state === state;
      },
      { withinMs, otherwise: () => JSON.stringify(seen) },
    );
    return seen;
  };
  /** Posts of the delivery, without the status requests. */
  const posts = () => receiver.requests.filter(({ path }) => path === '/hook');
  return { tenant, receiver, endpoint: made, id, show, becomes, posts };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const ack = ({ endpoint, id }: Pick<Scene, 'endpoint' | 'id'>, secret?: string) =>
  signAck(endpoint, id, secret);

const postAck = (body: unknown) => postAckTo(engine, body);

const hold = { onAmbiguous: 'hold' };

describe('an unknown delivery that is to be asked for', () => {
  test('is delivered when the endpoint says that it was processed, and not sent again', async () => {
    const it = await scene(reset, {}, okWith('{"result":{"processed":true}}'));
    expect((await it.becomes('delivered')).executions[0].attempts).toMatchObject([{ outcome: 'ambiguous' }]);
    expect(it.posts()).toHaveLength(1);
    const asked = it.receiver.requests.find(({ path }) => path.startsWith('/status'));
    expect(asked).toMatchObject({ method: 'GET', path: `/status?id=${it.id}` });
    expect(asked?.headers['webhook-id']).toBe(it.id);
  });

  test.each([
    ['404', status(404)],
    ['false', okWith('{"result":{"processed":false}}')],
  ])('is sent again, with the same id, when the endpoint answers %s', async (_, answer) => {
    const it = await scene(reset, {}, answer);
    await it.receiver.waitFor(() => it.posts().length === 1);
    it.receiver.switchTo(ok);
    await it.becomes('delivered');
    expect(it.posts().map(({ headers }) => headers['webhook-id'])).toEqual([it.id, it.id]);
  });

  test('is given up, as not arrived, when the endpoint says so after the last attempt', async () => {
    const it = await scene(reset, { retry: { maxAttempts: 1 } }, status(404));
    expect((await it.becomes('failed')).executions[0]).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      mayHaveArrived: false,
    });
  });

  test('is asked for again while the answer says nothing, within the window, and then needs a decision', async () => {
    const it = await scene(reset, { reconcileWithinMs: patient(5_000) }, status(503));
    const asked = () => it.receiver.requests.filter(({ path }) => path.startsWith('/status')).length;
    await it.receiver.waitFor(() => asked() >= 2);
    expect((await it.show()).state).toBe('unknown');
    const { rows } = await engine.database.pool.query(
      'select probe_at from executions where delivery_id = $1',
      [uuidIn('delivery', it.id)],
    );
    expect(rows).toHaveLength(1);
    expect(await postAck(ack(it))).toMatchObject({ status: 200, body: { outcome: 'settled' } });
    await it.becomes('delivered');
    expect(it.posts()).toHaveLength(1);
  });

  test('is not asked for under an operation that holds it', async () => {
    const it = await scene(status(400), { timeoutMs: 1_000 }, okWith('{"result":{"processed":true}}'));
    await it.becomes('failed');
    it.receiver.switchTo(hang);
    const retries = retriesOf(engine.client, it.tenant.key);
    const started = await retries.start({
      select: { deliveryIds: [it.id] },
      options: { onAmbiguous: 'hold' },
    });
    await it.becomes('unknown');
    expect(it.receiver.requests.some(({ path }) => path.startsWith('/status'))).toBe(false);
    await postAck(ack(it));
    expect((await retries.ended(started.id)).counts).toMatchObject({ delivered: 1, unknown: 0 });
  });

  test('is at an endpoint that has to say where to ask, at no address within', async () => {
    const it = await scene(ok);
    const patch = (body: object) =>
      engine.client.call('PATCH', `/api/v1/endpoints/${it.endpoint.id}`, { key: it.tenant.key, body });
    expect((await patch({ onAmbiguous: 'probe' })).body).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: '#/probe', code: 'required' }],
    });
    const inside = { urlTemplate: 'http://169.254.169.254/{deliveryId}', processedField: 'done' };
    expect((await patch({ onAmbiguous: 'probe', probe: inside })).body).toMatchObject({
      code: 'endpoint_url_refused',
    });
    expect((await patch({ probe: { ...inside, urlTemplate: 'http://a.example/' } })).body).toMatchObject({
      errors: [{ pointer: '#/probe/urlTemplate', code: 'wrong_format' }],
    });
  });
});

describe('an acknowledgement', () => {
  test('settles a held delivery', async () => {
    const it = await scene(hang, hold);
    await it.becomes('unknown');
    expect(await postAck(ack(it))).toEqual({ status: 200, body: { webhookId: it.id, outcome: 'settled' } });
    expect(await it.show()).toMatchObject({
      state: 'delivered',
      executions: [{ state: 'delivered', reason: 'acknowledged' }],
    });
    expect(await postAck(ack(it))).toMatchObject({ body: { outcome: 'already_delivered' } });
    expect(it.posts()).toHaveLength(1);
  });

  test('stops the next attempt of a delivery that waits for one', async () => {
    const it = await scene(status(500), { retry: { initialMs: 3_600_000, capMs: 3_600_000 } });
    await eventually('it waits', async () => (await it.show()).executions[0].state === 'scheduled');
    expect(await postAck(ack(it))).toMatchObject({ body: { outcome: 'settled' } });
    expect(await it.show()).toMatchObject({ state: 'delivered', attempts: 1 });
  });

  test('of a delivery that is being sent is remembered, and its outcome makes it delivered', async () => {
    const it = await scene(hang, { timeoutMs: 5_000, ...hold });
    await it.receiver.waitFor(({ requests }) => requests.length === 1);
    expect(await postAck(ack(it))).toMatchObject({ body: { outcome: 'remembered' } });
    expect((await it.becomes('delivered')).executions[0]).toMatchObject({
      reason: 'acknowledged',
      attempts: [{ outcome: 'ambiguous' }],
    });
  });

  test('is welcome after the delivery was given up', async () => {
    const it = await scene(status(400));
    await it.becomes('failed');
    expect(await postAck(ack(it))).toMatchObject({ body: { outcome: 'settled' } });
    expect(await it.show()).toMatchObject({ state: 'delivered', executions: [{ state: 'delivered' }] });
  });

  test('after the report of its operation is an addendum, and changes none of its counts', async () => {
    const it = await scene(status(400), { timeoutMs: 1_000, reconcileWithinMs: 0 });
    await it.becomes('failed');
    it.receiver.switchTo(hang);
    const retries = retriesOf(engine.client, it.tenant.key);
    const started = await retries.start({
      select: { deliveryIds: [it.id] },
      options: { onAmbiguous: 'hold' },
    });
    const ended = await retries.ended(started.id);
    expect(ended.counts).toMatchObject({ unknown: 1, delivered: 0 });
    expect((await retries.report(started.id)).addendum).toEqual({});
    await postAck(ack(it));
    expect(await retries.report(started.id)).toMatchObject({
      counts: { unknown: 1, delivered: 0 },
      addendum: { unknown: -1, delivered: 1 },
    });
    await eventually('a worker has signed the addendum', async () => {
      const path = `/api/v1/retries/${started.id}/report/addenda`;
      const { body } = await engine.client.expect(200, 'GET', path, { key: it.tenant.key });
      return body.items.length === 1;
    });
  });

  test('can be demanded of an endpoint that answers 202', async () => {
    const it = await scene(status(202), { requireAck: true });
    expect((await it.becomes('unknown')).executions[0].attempts).toMatchObject([
      { outcome: 'ambiguous', faultCode: 'unacknowledged', httpStatus: 202 },
    ]);
    expect(it.posts()).toHaveLength(1);
    await postAck(ack(it));
    await it.becomes('delivered');
    const plain = await scene(ok, { requireAck: true });
    await plain.becomes('delivered');
  });

  test('that nobody of the endpoint has signed is refused, and tells nothing', async () => {
    const it = await scene(hang, hold);
    await it.becomes('unknown');
    const other = await scene(ok);
    const forged = [
      ack(it, other.endpoint.secret),
      { ...ack(it), timestamp: 1 },
      { ...ack(it), endpointId: other.endpoint.id },
      { ...ack(it), webhookId: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' },
      { ...ack(it), signature: 'v1,' },
      // An id of somebody else's that ours can be written as, too.
      { ...ack(it), webhookId: '5fea7756-0ea4-451a-a703-a558b933e274' },
    ];
    const answers = await Promise.all(forged.map(postAck));
    expect(answers.map(({ status }) => status)).toEqual(forged.map(() => 401));
    expect(new Set(answers.map(({ body }) => JSON.stringify({ ...body, instance: '' }))).size).toBe(1);
    expect((await it.show()).state).toBe('unknown');
    const batch = await postAck([ack(it), ...forged]);
    expect(batch.body.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'settled',
      ...forged.map(() => 'refused'),
    ]);
    expect(batch.body.map(({ webhookId }: { webhookId: string }) => webhookId)).toEqual(
      [ack(it), ...forged].map(({ webhookId }) => webhookId),
    );
  });

  test('is not taken of a delivery that was never sent', async () => {
    const it = await scene(ok, { ratePerSecond: 0.01 });
    await it.becomes('delivered');
    const accepted = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a.b', payload: {} },
    });
    const event = await engine.client.expect(200, 'GET', `/api/v1/events/${accepted.body.eventId}`, {
      key: it.tenant.key,
    });
    const unsent = { endpoint: it.endpoint, id: event.body.deliveries[0].id };
    expect((await postAck(ack(unsent))).status).toBe(401);
  });
});

test('a receiver that answers after the lease has ended has acknowledged it', async () => {
  const answers = held();
  const it = await scene(answers, hold);
  await it.receiver.waitFor(({ requests }) => requests.length === 1);
  // As the sweeper does when a lease has passed, while the request is still on the wire.
  const { rows } = await engine.database.pool.query(
    'select id, lease_token from executions where delivery_id = $1',
    [uuidIn('delivery', it.id)],
  );
  await recordOutcomes(engine.database.pool, [
    {
      executionId: rows[0].id,
      deliveryId: uuidIn('delivery', it.id),
      token: rows[0].lease_token,
      classification: { outcome: 'ambiguous', faultCode: 'lease_lost', mayHaveArrived: true },
      next: { state: 'unknown', probes: false },
      endpointVersion: 1,
      durationMs: 0,
      reconcileWithinMs: 60_000,
    },
  ]);
  expect((await it.show()).state).toBe('unknown');
  answers.release(ok);
  expect((await it.becomes('delivered')).executions[0]).toMatchObject({ reason: 'acknowledged' });
});

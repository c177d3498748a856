import { afterEach, describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { VERSION } from '../../src/version.ts';
import { retriesOf, uuidIn } from '../support/api/retries.ts';
import { seedFailures } from '../support/engine/seed-failures.ts';
import { connectTestTemporal } from '../support/engine/temporal-client.ts';
import type { TestEngine } from '../support/engine/test-engine.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient, TIME_TO_ANSWER_MS } from '../support/patience.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import {
  type Behaviour,
  closeSilently,
  flaky,
  halfAnswer,
  hang,
  ok,
  okWith,
  redirect,
  reset,
  retryAfter,
  slow,
  status,
} from '../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const receivers: Receiver[] = [];
let tenants = 0;

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())));

type Tenant = Awaited<ReturnType<TestEngine['client']['newTenant']>>;

function newTenant(): Promise<Tenant> {
  tenants += 1;
  return engine.client.newTenant(`first-${tenants}`);
}

async function receiverWith(behaviour: Behaviour = ok): Promise<Receiver> {
  const receiver = await startReceiver(behaviour);
  receivers.push(receiver);
  return receiver;
}

function newEndpoint({ key }: Tenant, url: string, more: Record<string, unknown> = {}) {
  return engine.client.newEndpoint(key, {
    url,
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 1 },
    ...more,
  });
}

async function send({ key }: Tenant, body: unknown) {
  return (await engine.client.expect(202, 'POST', '/api/v1/events', { key, body })).body;
}

/** The one delivery of an event, with its executions, once it is in this state. */
async function deliveryOf({ key }: Tenant, eventId: string, state: string, withinMs = 10_000) {
  const event = (await engine.client.expect(200, 'GET', `/api/v1/events/${eventId}`, { key })).body;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  let delivery: any;
  await eventually(
    `the delivery is ${state}`,
    async () => {
      delivery = (
        await engine.client.expect(200, 'GET', `/api/v1/deliveries/${event.deliveries[0].id}`, { key })
      ).body;
      return delivery.state === state;
    },
    { withinMs, otherwise: () => JSON.stringify(delivery) },
  );
  return delivery;
}

/** One event sent to one endpoint, followed until its delivery is in this state. */
async function delivered(behaviour: Behaviour, state: string, endpoint: Record<string, unknown> = {}) {
  const tenant = await newTenant();
  const receiver = await receiverWith(behaviour);
  await newEndpoint(tenant, receiver.url('/hook'), endpoint);
  const { eventId } = await send(tenant, { type: 'a.b', payload: { n: 1 } });
  const delivery = await deliveryOf(tenant, eventId, state);
  return {
    tenant,
    receiver,
    delivery,
    execution: delivery.executions[0],
    attempts: delivery.executions[0].attempts,
  };
}

describe('an event on its way to the endpoints that want it', () => {
  test('reaches each of them once, and no other', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    await newEndpoint(tenant, receiver.url('/invoices'), { eventTypes: ['invoice.*'] });
    await newEndpoint(tenant, receiver.url('/large'), { filter: { amount: { $gte: 100 } } });
    await newEndpoint(tenant, receiver.url('/orders'), { eventTypes: ['order.paid'] });
    const other = await newTenant();
    await newEndpoint(other, receiver.url('/other'));
    const accepted = await send(tenant, [
      { type: 'invoice.paid', payload: { amount: 100 } },
      { type: 'invoice.paid', payload: { amount: 1 } },
      { type: 'order.paid', payload: { amount: 2 } },
    ]);
    expect(accepted.map((event: { deliveries: number }) => event.deliveries)).toEqual([2, 1, 1]);
    await receiver.waitFor(({ requests }) => requests.length === 4);
    expect(receiver.requests.map(({ path }) => path).sort()).toEqual([
      '/invoices',
      '/invoices',
      '/large',
      '/orders',
    ]);
    for (const { eventId } of accepted) await deliveryOf(tenant, eventId, 'delivered');
    expect(receiver.requests).toHaveLength(4);
  });

  test('is sent with the headers of the wire format and the custom ones of the endpoint', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    await newEndpoint(tenant, receiver.url('/hook?source=redrive'), { headers: { 'x-their-key': 'for us' } });
    const { eventId } = await send(tenant, { type: 'a.b', payload: {} });
    const { id } = await deliveryOf(tenant, eventId, 'delivered');
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/hook?source=redrive', id });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': `Redrive/${VERSION}`,
      'redrive-attempt': '1',
      'redrive-execution-attempt': '1',
      'webhook-id': id,
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': expect.stringMatching(/^v1,[\w+/]{43}=$/),
      'x-their-key': 'for us',
    });
  });

  test('keeps its body byte for byte, big numbers, escapes and whitespace included', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    const { secret } = await newEndpoint(tenant, receiver.url());
    const payload =
      '{ "big": 12345678901234567890.10,\t"exp": 1.0E+2,\n "text": "caf\\u00e9 \\/ \\ud83d\\ude00 €", "twice": 1, "twice": 2 , "empty": [ ] }';
    const { eventId } = await send(tenant, `{"type":"a.b","payload":${payload}}`);
    await deliveryOf(tenant, eventId, 'delivered');
    const [request] = receiver.requests;
    expect(request?.body.toString('utf8')).toBe(payload);
    expect(() =>
      new Webhook(secret).verify(payload, request?.headers as Record<string, string>),
    ).not.toThrow();
  });

  test('is signed so that the official library verifies it, with both secrets while one rotates out', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    const { id, secret: old } = await newEndpoint(tenant, receiver.url());
    const { secret: current } = (
      await engine.client.expect(200, 'POST', `/api/v1/endpoints/${id}/rotate-secret`, { key: tenant.key })
    ).body;
    const { eventId } = await send(tenant, { type: 'a.b', payload: { rotating: true } });
    await deliveryOf(tenant, eventId, 'delivered');
    const [request] = receiver.requests;
    const headers = request?.headers as Record<string, string>;
    const body = request?.body.toString('utf8') ?? '';
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const secret of [old, current])
      expect(new Webhook(secret).verify(body, headers)).toEqual({ rotating: true });
    expect(() => new Webhook(current).verify(`${body} `, headers)).toThrow();
  });

  test('is on the wire at once, however the one before it went', async () => {
    const tenant = await newTenant();
    const [dull, quick] = [await receiverWith(slow(700)), await receiverWith()];
    await newEndpoint(tenant, dull.url(), { eventTypes: ['dull'] });
    await newEndpoint(tenant, quick.url(), { eventTypes: ['quick'] });
    const waits: number[] = [];
    for (const pauseMs of [0, 1_150, 1_300]) {
      const begun = Date.now();
      await send(tenant, { type: 'dull', payload: pauseMs });
      await eventually('it is time for the next', () => Date.now() >= begun + pauseMs);
      const since = Date.now();
      await send(tenant, { type: 'quick', payload: pauseMs });
      await quick.waitFor(({ requests }) => requests.length === waits.length + 1);
      waits.push((quick.requests.at(-1)?.at ?? 0) - since);
    }
    // The first one warms everything up.
    expect(Math.max(...waits.slice(1))).toBeLessThan(patient(250));
  });
});

describe('an endpoint that does not answer', () => {
  test('has the first deliveries of no other one wait for it', async () => {
    const tenant = await newTenant();
    const [dead, quick] = [await receiverWith(hang), await receiverWith()];
    await newEndpoint(tenant, dead.url(), { eventTypes: ['dead'], timeoutMs: 3_000 });
    await newEndpoint(tenant, quick.url(), { eventTypes: ['quick'] });
    await send(
      tenant,
      Array.from({ length: 100 }, (_, n) => ({ type: 'dead', payload: n })),
    );
    await dead.waitFor(({ requests }) => requests.length >= 20);
    for (let n = 0; n < 5; n++) {
      const since = Date.now();
      await send(tenant, { type: 'quick', payload: n });
      await quick.waitFor(({ requests }) => requests.length === n + 1);
      expect((quick.requests.at(-1)?.at ?? 0) - since).toBeLessThan(patient(1_500));
    }
  });
});

describe('bulk work whose every step hangs', () => {
  test('takes no connection that first deliveries need', async () => {
    const STEPS = 22;
    const tenant = await newTenant();
    const receiver = await receiverWith();
    const { id } = await newEndpoint(tenant, receiver.url());
    await seedFailures(engine.database.pool, {
      tenantId: uuidIn('tenant', tenant.id),
      endpointIds: [uuidIn('endpoint', id)],
      count: STEPS,
    });
    const { rows } = await engine.database.pool.query('select id from deliveries where tenant_id = $1', [
      uuidIn('tenant', tenant.id),
    ]);
    const retries = retriesOf(engine.client, tenant.key);
    const operations = await Promise.all(
      rows.map((row) =>
        retries.start({
          select: { deliveryIds: [row.id] },
          options: { ratePerSecond: 100, notBefore: new Date(Date.now() + 600_000).toISOString() },
        }),
      ),
    );
    for (const operation of operations)
      await eventually('it waits', async () => (await retries.show(operation.id)).nextEvent.what === 'due');
    const temporal = await connectTestTemporal();
    const db = await engine.database.pool.connect();
    try {
      await db.query('begin');
      await db.query('lock table operations in share row exclusive mode');
      const nudged = operations.map(({ workflowId }) =>
        temporal.handle(workflowId).executeUpdate('control', { args: [{ revision: 0, control: '' }] }),
      );
      await Promise.all(nudged);
      await eventually('all connections of the steps wait', async () => {
        const waiting = await engine.database.pool.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
           and application_name = 'redrive-worker'`,
        );
        return waiting.rows.length >= 19;
      });
      const since = Date.now();
      await send(tenant, { type: 'a.b', payload: 1 });
      await receiver.waitFor(({ requests }) => requests.length === 1, 3_000);
      expect((receiver.requests[0]?.at ?? 0) - since).toBeLessThan(patient(1_500));
    } finally {
      await db.query('rollback');
      db.release();
      await temporal.close();
    }
    for (const operation of operations) await retries.control(operation.id, 'cancel');
    for (const operation of operations) await retries.ended(operation.id);
  });
});

describe('automatic retries', () => {
  test('send the same thing under the same id, counted up, with a new timestamp and signature', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith(flaky(2));
    const { secret } = await newEndpoint(tenant, receiver.url(), {
      retry: { maxAttempts: 5, initialMs: 600, factor: 2, capMs: 700 },
    });
    const { eventId } = await send(tenant, { type: 'a.b', payload: { n: 7 } });
    const delivery = await deliveryOf(tenant, eventId, 'delivered');
    const { requests } = receiver;
    expect(requests.map(({ headers }) => headers['redrive-attempt'])).toEqual(['1', '2', '3']);
    expect(requests.map(({ headers }) => headers['redrive-execution-attempt'])).toEqual(['1', '2', '3']);
    expect(new Set(requests.map(({ id }) => id))).toEqual(new Set([delivery.id]));
    expect(new Set(requests.map(({ body }) => body.toString()))).toEqual(new Set(['{"n":7}']));
    expect(new Set(requests.map(({ headers }) => headers['webhook-timestamp'])).size).toBeGreaterThan(1);
    for (const { headers, body } of requests)
      expect(new Webhook(secret).verify(body.toString(), headers as Record<string, string>)).toEqual({
        n: 7,
      });
    expect(delivery.executions).toHaveLength(1);
    expect(delivery.executions[0].attempts.map((a: { outcome: string }) => a.outcome)).toEqual([
      'retryable',
      'retryable',
      'delivered',
    ]);
  });

  test('wait as the policy says, and give up when its attempts are used', async () => {
    const { receiver, delivery, execution, attempts } = await delivered(status(503), 'failed', {
      retry: { maxAttempts: 3, initialMs: 200, factor: 3, capMs: 500 },
    });
    expect(execution).toMatchObject({ state: 'failed', reason: 'exhausted', mayHaveArrived: false });
    expect(attempts.map((a: { number: number }) => a.number)).toEqual([1, 2, 3]);
    expect(delivery).toMatchObject({ attempts: 3, faultCode: 'http_5xx', httpStatus: 503 });
    const [first, second, third] = receiver.requests.map(({ at }) => at) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(200);
    expect(third - second).toBeGreaterThanOrEqual(500);
    expect(third - second).toBeLessThan(patient(2_000));
  });

  test('keep to Retry-After, for the delivery and for everything else at that endpoint', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith(retryAfter(2));
    await newEndpoint(tenant, receiver.url(), {
      retry: { maxAttempts: 3, initialMs: 10, factor: 1, capMs: 10 },
    });
    const first = await send(tenant, { type: 'a.b', payload: 1 });
    await receiver.waitFor(({ requests }) => requests.length === 1);
    await eventually('the answer is recorded', async () => {
      const { rows } = await engine.database.pool.query(
        `select from attempts where retry_after_ms = 2000 and tenant_id = $1`,
        [uuidIn('tenant', tenant.id)],
      );
      return rows.length === 1;
    });
    receiver.switchTo(ok);
    const second = await send(tenant, { type: 'a.b', payload: 2 });
    await deliveryOf(tenant, first.eventId, 'delivered');
    await deliveryOf(tenant, second.eventId, 'delivered');
    const [refused, ...later] = receiver.requests.map(({ at }) => at) as [number, ...number[]];
    expect(later).toHaveLength(2);
    for (const at of later) expect(at - refused).toBeGreaterThanOrEqual(2_000);
  });

  test('do not hammer an endpoint that asks for a pause with what is still queued', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith(retryAfter(2));
    await newEndpoint(tenant, receiver.url(), {
      retry: { maxAttempts: 9, initialMs: 10, factor: 1, capMs: 10 },
    });
    const events = await send(
      tenant,
      Array.from({ length: 500 }, (_, n) => ({ type: 'a.b', payload: n })),
    );
    await receiver.waitFor(({ requests }) => requests.length > 0);
    const since = receiver.requests[0]?.at ?? 0;
    receiver.switchTo(ok);
    await eventually(
      'all are delivered',
      async () => {
        const { rows } = await engine.database.pool.query(
          `select count(*)::int as n from deliveries where tenant_id = $1 and state = 'delivered'`,
          [uuidIn('tenant', tenant.id)],
        );
        return rows[0].n === events.length;
      },
      { withinMs: 15_000 },
    );
    const early = receiver.requests.filter(({ at }) => at - since < 1_900).length;
    // Requests that were on the wire when the first answer came: the sockets of the live lane, twice at the very most.
    expect(early).toBeLessThanOrEqual(64);
  });
});

describe('an endpoint that is gone', () => {
  test('is disabled by its 410, and what waits for it ends ignored', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith(status(503));
    const { id } = await newEndpoint(tenant, receiver.url(), {
      retry: { maxAttempts: 5, initialMs: 60_000, capMs: 60_000 },
    });
    const waiting = await send(tenant, { type: 'a.b', payload: 1 });
    await receiver.waitFor(({ requests }) => requests.length === 1);
    receiver.switchTo(status(410));
    const last = await send(tenant, { type: 'a.b', payload: 2 });
    const failed = await deliveryOf(tenant, last.eventId, 'failed');
    expect(failed).toMatchObject({ faultCode: 'http_410', httpStatus: 410 });
    const ignored = await deliveryOf(tenant, waiting.eventId, 'ignored');
    expect(ignored.executions[0]).toMatchObject({ state: 'ignored', reason: 'endpoint_disabled' });
    const endpoint = await engine.client.expect(200, 'GET', `/api/v1/endpoints/${id}`, { key: tenant.key });
    expect(endpoint.body).toMatchObject({ state: 'disabled', disabledReason: 'gone' });
    const missed = await send(tenant, { type: 'a.b', payload: 3 });
    expect(missed.deliveries).toBe(0);
    expect(await deliveryOf(tenant, missed.eventId, 'ignored')).toMatchObject({ attempts: 0 });
    expect(receiver.requests).toHaveLength(2);
  });
});

describe('an attempt', () => {
  test.each<[string, Behaviour, Record<string, unknown>]>([
    ['200', ok, { outcome: 'delivered', httpStatus: 200, faultCode: null, responseExcerpt: 'ok' }],
    ['200 after a while', slow(300), { outcome: 'delivered', httpStatus: 200, responseExcerpt: 'ok' }],
    [
      '200 and half a body',
      halfAnswer,
      { outcome: 'delivered', httpStatus: 200, faultCode: null, responseExcerpt: 'half' },
    ],
  ])('that ends with %s is delivered', async (_, behaviour, attempt) => {
    const { delivery, execution, attempts } = await delivered(behaviour, 'delivered');
    expect(attempts).toEqual([expect.objectContaining(attempt)]);
    expect(execution).toMatchObject({ state: 'delivered', reason: null, mayHaveArrived: false });
    expect(delivery).toMatchObject({ attempts: 1, faultCode: null });
    if (behaviour !== ok && behaviour !== halfAnswer)
      expect(attempts[0].durationMs).toBeGreaterThanOrEqual(290);
  });

  test.each<[string, Behaviour, Record<string, unknown>, string, boolean]>([
    [
      '500',
      status(500),
      { outcome: 'retryable', httpStatus: 500, faultCode: 'http_5xx' },
      'exhausted',
      false,
    ],
    [
      '429 with Retry-After',
      retryAfter(3),
      { outcome: 'retryable', httpStatus: 429, faultCode: 'http_429', retryAfterMs: 3_000 },
      'exhausted',
      false,
    ],
    [
      '404',
      status(404),
      { outcome: 'permanent', httpStatus: 404, faultCode: 'http_4xx' },
      'permanent',
      false,
    ],
    [
      'a redirect',
      redirect('http://127.0.0.1:1/'),
      { outcome: 'permanent', httpStatus: 302, faultCode: 'http_3xx' },
      'permanent',
      false,
    ],
    [
      'a reset',
      reset,
      { outcome: 'ambiguous', httpStatus: null, faultCode: 'connection_reset' },
      'exhausted',
      true,
    ],
    [
      'a closed connection',
      closeSilently,
      { outcome: 'ambiguous', httpStatus: null, faultCode: 'connection_reset' },
      'exhausted',
      true,
    ],
    [
      'no answer in time',
      hang,
      { outcome: 'ambiguous', httpStatus: null, faultCode: 'timeout' },
      'exhausted',
      true,
    ],
  ])('that ends with %s fails in its own way', async (_, behaviour, attempt, reason, mayHaveArrived) => {
    // A receiver that never answers is given up soon, any other is not, however busy the machine is.
    const timeoutMs = behaviour === hang ? 1_000 : 20_000;
    const { execution, attempts, delivery } = await delivered(behaviour, 'failed', { timeoutMs });
    expect(attempts).toEqual([expect.objectContaining(attempt)]);
    expect(execution).toMatchObject({ state: 'failed', reason, mayHaveArrived });
    expect(delivery).toMatchObject({ attempts: 1, faultCode: attempt.faultCode });
    if (behaviour === hang) expect(attempts[0].durationMs).toBeGreaterThanOrEqual(990);
  });

  test('whose connection is refused is certainly unsent', async () => {
    const tenant = await newTenant();
    const closed = await startReceiver();
    await closed.close();
    await newEndpoint(tenant, closed.url());
    const { eventId } = await send(tenant, { type: 'a.b', payload: 1 });
    const delivery = await deliveryOf(tenant, eventId, 'failed');
    expect(delivery.executions[0]).toMatchObject({ mayHaveArrived: false });
    expect(delivery.executions[0].attempts).toEqual([
      expect.objectContaining({ outcome: 'unsent', faultCode: 'connection_refused' }),
    ]);
  });

  test('at an endpoint whose secret cannot be read fails by itself, and keeps nobody else from being sent to', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    const broken = await newEndpoint(tenant, receiver.url('/broken'));
    await newEndpoint(tenant, receiver.url('/sound'));
    await engine.database.pool.query(
      `update endpoint_secrets set sealed = 'nonsense' where endpoint_id = $1`,
      [uuidIn('endpoint', broken.id)],
    );
    const { eventId } = await send(tenant, { type: 'a.b', payload: 1 });
    const event = async () =>
      (await engine.client.expect(200, 'GET', `/api/v1/events/${eventId}`, { key: tenant.key })).body;
    const states = async () =>
      (await event()).deliveries.map((each: { endpointId: string; state: string }) =>
        each.endpointId === broken.id ? `broken ${each.state}` : `sound ${each.state}`,
      );
    await eventually('both are settled', async () => !(await states()).join().includes('pending'));
    expect((await states()).sort()).toEqual(['broken failed', 'sound delivered']);
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/sound']);
  });

  test('keeps the first KiB of its answer, and no more', async () => {
    const { attempts } = await delivered(okWith('é'.repeat(4_000)), 'delivered');
    expect(Buffer.byteLength(attempts[0].responseExcerpt)).toBe(1_024);
    expect(attempts[0].responseExcerpt).toBe('é'.repeat(512));
  });

  test('leaves one log line with its outcome, and nothing of the payload', async () => {
    const tenant = await newTenant();
    const receiver = await receiverWith();
    await newEndpoint(tenant, receiver.url());
    const { eventId } = await send(tenant, { type: 'a.b', payload: { canary: 'payload-canary-1' } });
    const { id } = await deliveryOf(tenant, eventId, 'delivered');
    await eventually('it is logged', () => engine.log.some((line) => line.includes(id)));
    const lines = engine.log.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({
        event: 'delivery.attempted',
        lane: 'live',
        attempt: 1,
        outcome: 'delivered',
        httpStatus: 200,
        state: 'delivered',
      }),
    ]);
    expect(engine.log.join('')).not.toContain('payload-canary-1');
  });
});

describe('an outcome that nobody knows, where it is to be held', () => {
  async function unknown() {
    const scene = await delivered(hang, 'unknown', {
      timeoutMs: 1_000,
      onAmbiguous: 'hold',
      retry: { maxAttempts: 3, initialMs: 10, capMs: 10 },
    });
    expect(scene.execution).toMatchObject({ state: 'unknown', mayHaveArrived: true });
    const resolve = (outcome: string) =>
      engine.client.call('POST', `/api/v1/deliveries/${scene.delivery.id}/resolve`, {
        key: scene.tenant.key,
        body: { outcome, confirm: true },
      });
    return { ...scene, resolve };
  }

  test.each(['delivered', 'failed'])(
    'is %s when an operator says so, and not asked about twice',
    async (outcome) => {
      const { delivery, tenant, receiver, resolve } = await unknown();
      const answer = await resolve(outcome);
      expect(answer).toMatchObject({ status: 200, body: { deliveryId: delivery.id, state: outcome } });
      const settled = await deliveryOf(tenant, delivery.event.id, outcome);
      expect(settled.executions[0]).toMatchObject({ state: outcome });
      expect(receiver.requests).toHaveLength(1);
      expect((await resolve(outcome)).status).toBe(409);
    },
  );

  test('is sent again when an operator says so, with the same id', async () => {
    const { delivery, tenant, receiver, resolve } = await unknown();
    receiver.switchTo(ok);
    expect(await resolve('retry')).toMatchObject({ status: 200, body: { state: 'scheduled' } });
    const settled = await deliveryOf(tenant, delivery.event.id, 'delivered');
    expect(receiver.countOf(delivery.id)).toBe(2);
    expect(settled.executions[0].attempts).toEqual([
      expect.objectContaining({ outcome: 'ambiguous', resend: false }),
      expect.objectContaining({ outcome: 'delivered', resend: true }),
    ]);
  });
});

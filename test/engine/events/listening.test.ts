import { afterEach, describe, expect, test } from '@jest/globals';
import {
  forward,
  type ListenedRequest,
  type ListenOptions,
  listen,
  redriveClient,
  verifyWebhook,
} from '../../../clients/typescript/src/index.ts';
import type { TestEngine } from '../../support/engine/test-engine.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { eventually } from '../../support/eventually.ts';
import { patient, TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { startReceiver } from '../../support/receivers/receiver.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../../support/use.ts';

/** Listeners over the whole service, where worker and API know of each other by the database alone. */

const engine = useEngine({ checked: true });
const own = closedAfterEach();
const listening: AbortController[] = [];
let tenants = 0;

afterEach(() => {
  for (const each of listening.splice(0)) each.abort();
});

/** A tenant that listens; `onRequest` is told of each request. */
async function listener(
  onRequest: (request: ListenedRequest) => unknown,
  options: ListenOptions & { fetch?: typeof fetch; on?: TestEngine } = {},
) {
  const { fetch: fetched, on = engine, ...wanted } = options;
  tenants += 1;
  const { key } = await on.client.newTenant(`listening-${tenants}`);
  const leaving = new AbortController();
  listening.push(leaving);
  const opened: { id: string; endpointId: string; secret: string }[] = [];
  const client = redriveClient({
    baseUrl: on.service.url,
    key,
    ...(fetched ? { fetch: (request: Request) => fetched(request) } : {}),
  });
  const ended = (async () => {
    for await (const request of listen(client, {
      timeoutMs: TIME_TO_ANSWER_MS,
      ...wanted,
      signal: leaving.signal,
      onListening: (each) => opened.push(each),
    }))
      void onRequest(request);
  })();
  await eventually('it listens', () => opened.length === 1);
  return {
    key,
    opened,
    leaving,
    ended,
    async send(payload: unknown = { n: 1 }): Promise<string> {
      const { body } = await on.client.expect(202, 'POST', '/api/v1/events', {
        key,
        body: { type: 'invoice.paid', payload },
      });
      return body.eventId;
    },
    /** The one delivery of an event, once it has ended. */
    async became(eventId: string) {
      let shown: { id: string; state: string; test: boolean } | undefined;
      await eventually(
        'its delivery has ended',
        async () => {
          const { body } = await on.client.expect(200, 'GET', `/api/v1/events/${eventId}`, { key });
          shown = body.deliveries[0];
          return shown !== undefined && shown.state !== 'pending';
        },
        { withinMs: 20_000, otherwise: () => JSON.stringify(shown) },
      );
      return (await on.client.expect(200, 'GET', `/api/v1/deliveries/${shown?.id}`, { key })).body;
    },
  };
}

describe('a listener', () => {
  test('gets what was accepted, signed, hands back what its receiver answers, and nothing of it stays', async () => {
    const receiver = own(await startReceiver(status(201)));
    const seen: ListenedRequest[] = [];
    const it = await listener(async (request) => {
      seen.push(request);
      const answer = await forward(request, receiver.url('/local'));
      if (answer) await request.answer(answer);
    });
    const payload = { text: 'ünï ☃ \u2028', n: 1 };
    const delivery = await it.became(await it.send(payload));
    expect(delivery).toMatchObject({ state: 'delivered', httpStatus: 201, test: true, attempts: 1 });
    const [received] = receiver.requests;
    expect(receiver.requests).toHaveLength(1);
    const secret = it.opened[0]?.secret ?? '';
    // As a receiver sees it: the signature is over the bytes that came.
    expect(
      verifyWebhook({ body: received?.body ?? '', headers: received?.headers ?? {}, secret }),
    ).toMatchObject({ id: delivery.id, endpointId: it.opened[0]?.endpointId, attempt: 1, payload });
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Redrive\//),
    });
    const { rows } = await engine.database.pool.query('select from listener_requests');
    expect(rows).toEqual([]);
    expect(engine.log.join('\n')).not.toContain(secret);
    expect(engine.log.join('\n')).not.toContain('☃');
  });

  test('that answers badly, or cannot pass on, has a delivery that failed, and nothing else', async () => {
    const receiver = own(await startReceiver(status(500)));
    const away = await startReceiver(ok);
    await away.close();
    const places = [receiver.url('/x'), away.url(), receiver.url('/gone')];
    receiver.switchTo(status(410), '/gone');
    const it = await listener(async (request) => {
      const answer = await forward(request, places.shift() ?? '');
      if (answer) await request.answer(answer);
    });
    const failed = await it.became(await it.send());
    expect(failed).toMatchObject({ state: 'failed', httpStatus: 500, attempts: 1 });
    const unreached = await it.became(await it.send());
    expect(unreached).toMatchObject({ state: 'failed', faultCode: 'connection_refused', attempts: 1 });
    expect(unreached.executions[0].mayHaveArrived).toBe(false);
    expect(await it.became(await it.send())).toMatchObject({ state: 'failed', httpStatus: 410 });
    const { key } = it;
    const endpoint = await engine.client.expect(200, 'GET', `/api/v1/endpoints/${it.opened[0]?.endpointId}`, {
      key,
    });
    expect(endpoint.body).toMatchObject({ state: 'enabled', circuit: 'closed' });
    expect((await engine.client.expect(200, 'GET', '/api/v1/outages', { key })).body.items).toEqual([]);
  });

  test('that does not answer in time may have got it, and its answer is too late', async () => {
    const seen: ListenedRequest[] = [];
    const it = await listener((request) => void seen.push(request), { timeoutMs: 1_000 });
    const delivery = await it.became(await it.send());
    expect(delivery).toMatchObject({ state: 'failed', faultCode: 'timeout' });
    expect(delivery.executions[0].mayHaveArrived).toBe(true);
    expect(await seen[0]?.answer({ status: 200 })).toBe(false);
  });

  test('that leaves ends at once: its endpoint is gone, what was on its way may have arrived', async () => {
    const seen: ListenedRequest[] = [];
    const it = await listener((request) => void seen.push(request), { timeoutMs: 60_000 });
    const eventId = await it.send();
    await eventually('it has the request', () => seen.length === 1);
    it.leaving.abort();
    await it.ended;
    const delivery = await it.became(eventId);
    expect(delivery).toMatchObject({ state: 'failed', faultCode: 'connection_reset' });
    expect(delivery.executions[0].mayHaveArrived).toBe(true);
    const { body } = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.key,
      body: { type: 'invoice.paid', payload: 2 },
    });
    expect(body.deliveries).toBe(0);
  });

  test('whose connection is killed listens again, with the same secret, and goes on', async () => {
    const receiver = own(await startReceiver(ok));
    let connection = new AbortController();
    const it = await listener(
      async (request) => {
        const answer = await forward(request, receiver.url());
        if (answer) await request.answer(answer);
      },
      {
        fetch: (async (request: Request) => {
          if (!request.url.endsWith('/stream')) return fetch(request);
          connection = new AbortController();
          const response = await fetch(request);
          // Cut here: in Node 20 the signal of a request that has been collected does not reach its body.
          const body = response.body?.pipeThrough(new TransformStream(), { signal: connection.signal });
          return new Response(body, response);
        }) as typeof fetch,
      },
    );
    await it.became(await it.send());
    connection.abort();
    await eventually('it listens again', () => it.opened.length === 2);
    expect(it.opened[1]?.secret).toBe(it.opened[0]?.secret);
    expect(it.opened[1]?.endpointId).not.toBe(it.opened[0]?.endpointId);
    expect(await it.became(await it.send())).toMatchObject({ state: 'delivered' });
    await eventually('the endpoint of the lost one is gone', async () => {
      const { body } = await engine.client.expect(200, 'GET', '/api/v1/endpoints', { key: it.key });
      return body.items.every(({ id }: { id: string }) => id === it.opened[1]?.endpointId);
    });
  });

  test('ends where somebody deletes its endpoint', async () => {
    const it = await listener(() => {});
    await engine.client.expect(204, 'DELETE', `/api/v1/endpoints/${it.opened[0]?.endpointId}`, {
      key: it.key,
    });
    await it.ended;
    expect(it.opened).toHaveLength(1);
  });

  test('gets many at a time, each with its own answer', async () => {
    const it = await listener(async (request) => {
      const { n } = JSON.parse(request.body) as { n: number };
      await request.answer({ status: n % 2 === 0 ? 200 : 422, body: `answer ${n}` });
    });
    const events = await Promise.all(Array.from({ length: 40 }, (_, n) => it.send({ n })));
    const deliveries = await Promise.all(events.map((eventId) => it.became(eventId)));
    expect(deliveries.map(({ httpStatus }) => httpStatus)).toEqual(
      Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 200 : 422)),
    );
  });
});

describe('a listener of a worker in another process', () => {
  const apart = useEngine({ checked: true, roles: { api: true, worker: false } });

  test('gets what it was handed once more where that worker dies, as a further attempt', async () => {
    const worker = await startWorkerProcess(apart, { lease: { startWithinMs: 800, marginMs: 400 } });
    try {
      const seen: ListenedRequest[] = [];
      const it = await listener(
        (request) => {
          seen.push(request);
          if (seen.length > 1) void request.answer({ status: 200 });
        },
        { on: apart, timeoutMs: patient(2_000) },
      );
      const eventId = await it.send();
      await eventually('it has the request', () => seen.length === 1);
      worker.process.kill('SIGKILL');
      await worker.ended;
      // Taken in time, but whoever waited for it is gone.
      expect(await seen[0]?.answer({ status: 200 })).toBe(true);
      await apart.addWorker();
      const delivery = await it.became(eventId);
      expect(delivery).toMatchObject({ state: 'delivered', attempts: 2 });
      expect(seen.map(({ headers }) => headers['redrive-attempt'])).toEqual(['1', '2']);
      expect(new Set(seen.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    } finally {
      if (worker.process.exitCode === null) worker.process.kill('SIGKILL');
      await worker.ended;
    }
  });
});

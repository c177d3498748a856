import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { govern } from '../../support/api/governed.ts';
import { uuidIn } from '../../support/api/retries.ts';
import type { Answer } from '../../support/api/test-client.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { type Receiver, startReceiver } from '../../support/receivers/receiver.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const receivers: Receiver[] = [];
let scenes = 0;

afterEach(() => Promise.all(receivers.splice(0).map((receiver) => receiver.close())));

/** A tenant with one endpoint, as a client of Stedi sees it. */
async function scene(endpoint: object = {}, behaviour = ok) {
  scenes += 1;
  const tenant = await engine.client.newTenant(`stedi-${scenes}`);
  const receiver = await startReceiver(behaviour);
  receivers.push(receiver);
  const made = await engine.client.newEndpoint(tenant.key, {
    handle: 'partner_1',
    url: receiver.url('/in'),
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 1 },
    ...endpoint,
  });
  const call = (method: string, path: string, body?: unknown, headers = {}): Promise<Answer> =>
    engine.client.call(method, path, {
      headers: { authorization: tenant.key, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  const native = (expected: number, method: string, path: string, body?: unknown) =>
    engine.client.expect(expected, method, path, {
      key: tenant.key,
      ...(body === undefined ? {} : { body }),
    });
  const list = async (query = '') => (await call('GET', `/executions${query}`)).body.items;
  return {
    tenant,
    tenantId: uuidIn('tenant', tenant.id),
    receiver,
    endpoint: made,
    call,
    native,
    list,
    change: (body: object) => native(200, 'PATCH', `/api/v1/endpoints/${made.id}`, body),
    retry: async (condition: object) => {
      const answer = await call('POST', '/executions/retry', { condition });
      expect(answer).toMatchObject({ status: 200, text: '' });
    },
    /** Sends a file, and waits until its execution is processed. */
    async send(payload: unknown = { id: 'x-1' }, event: object = {}) {
      const sent = await native(202, 'POST', '/api/v1/events', { type: 'invoice.sent', payload, ...event });
      return uuidIn('event', sent.body.eventId);
    },
    /** Waits until the statuses of all executions, oldest first, are these. */
    async statuses(...wanted: string[]) {
      let seen: { status: string; createdAt: string; executionId: string }[] = [];
      await eventually(
        `the executions are ${wanted.join(', ')}`,
        async () => {
          seen = await list('?pageSize=500');
          seen.sort((a, b) => (a.executionId < b.executionId ? -1 : 1));
          return JSON.stringify(seen.map((each) => each.status)) === JSON.stringify(wanted);
        },
        { withinMs: 20_000, otherwise: () => JSON.stringify(seen) },
      );
      // biome-ignore lint/suspicious/noExplicitAny: executions as they are shown
      return seen as any[];
    },
    async everyDue() {
      await engine.database.pool.query(
        `update executions set due_at = now() where tenant_id = $1 and state = 'scheduled'`,
        [uuidIn('tenant', tenant.id)],
      );
    },
  };
}

const PARTNER = { direction: 'OUTBOUND', senderProfile: 'us', partnerProfile: 'them' };

describe('fault codes come from real preparation steps', () => {
  test.each([
    ['FAILED_TO_FIND_LOCAL_PROFILE', { direction: 'OUTBOUND', partnerProfile: 'them' }],
    ['FAILED_TO_FIND_PARTNER_PROFILE', { direction: 'OUTBOUND', senderProfile: 'us' }],
    ['FAILED_TO_FIND_GUIDE', { ...PARTNER, guides: ['claim.*'] }],
    ['FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS', { ...PARTNER, keyPath: 'data.invoice' }],
  ])(
    '%s: it fails without an attempt, and once that is mended its retry is delivered',
    async (faultCode, partner) => {
      const it = await scene({ partner });
      await it.send();
      const [failed] = await it.statuses('FAILED');
      expect(failed).toMatchObject({ faultCode, faultCount: 1, retryable: true, direction: 'OUTBOUND' });
      const shown = await it.call('GET', `/executions/${failed.executionId}`);
      expect(shown.body.deliveryReports).toEqual([]);
      const faults = await it.call('GET', `/executions/${failed.executionId}/faults`);
      expect(faults.body.items).toMatchObject([{ faultCode, faultMessage: failed.faultMessage }]);
      expect(it.receiver.requests).toEqual([]);

      await it.retry({ faultCode });
      await it.statuses('RETRIED', 'FAILED');
      await it.change({ partner: { ...PARTNER, keyPath: 'id' } });
      await it.retry({ faultCode, direction: 'OUTBOUND', partnershipId: 'partner_1', status: 'FAILED' });
      const [, , completed] = await it.statuses('RETRIED', 'RETRIED', 'COMPLETED');
      expect(completed).toMatchObject({ faultCount: 0, retryable: false });
      expect(it.receiver.requests).toHaveLength(1);
    },
  );

  test('DELIVERY_FAILURE: the endpoint did not take it', async () => {
    const it = await scene({ partner: PARTNER }, status(500));
    await it.send();
    const [failed] = await it.statuses('FAILED');
    expect(failed).toMatchObject({ faultCode: 'DELIVERY_FAILURE', faultCount: 1 });
    it.receiver.switchTo(ok);
    await it.retry({ faultCode: 'DELIVERY_FAILURE' });
    await it.statuses('RETRIED', 'COMPLETED');
    const ids = it.receiver.requests.map(({ id }) => id);
    expect(ids).toEqual([ids[0], ids[0]]);
  });

  test('an operation over refused files ends with counts that add up', async () => {
    const it = await scene({ partner: PARTNER });
    await seedFailures(engine.database.pool, {
      tenantId: it.tenantId,
      endpointIds: [uuidIn('endpoint', it.endpoint.id)],
      count: 40,
    });
    await it.change({ partner: { direction: 'INBOUND' } });
    await it.retry({});
    let operation: { state: string; counts: Record<string, number> } = { state: '', counts: {} };
    await eventually(
      'the operation has ended',
      async () => {
        [operation] = (await it.native(200, 'GET', '/api/v1/retries')).body.items;
        return operation.state === 'completed_with_failures';
      },
      { withinMs: 20_000, otherwise: () => JSON.stringify(operation) },
    );
    expect(operation.counts).toMatchObject({ expected: 40, failed: 40 });
    expect(await it.list('?faultCode=FAILED_TO_FIND_LOCAL_PROFILE&direction=INBOUND')).toHaveLength(40);
  });
});

describe('IGNORED retried', () => {
  test('filters run again on the current configuration: sent where it matches now, else ignored again', async () => {
    const it = await scene({ filter: { id: 'x-1' } });
    await it.native(200, 'POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    await it.send();
    await it.statuses('IGNORED');
    await it.native(200, 'POST', `/api/v1/endpoints/${it.endpoint.id}/enable`);
    await it.change({ filter: { id: 'other' } });
    await it.retry({ status: 'IGNORED' });
    await it.statuses('RETRIED', 'IGNORED');
    expect(it.receiver.requests).toEqual([]);
    await it.change({ filter: null });
    await it.retry({ status: 'IGNORED' });
    await it.statuses('RETRIED', 'RETRIED', 'COMPLETED');
    expect(it.receiver.requests).toHaveLength(1);
  });

  test('preparation runs again, too', async () => {
    const it = await scene({ partner: { direction: 'INBOUND' } });
    await it.native(200, 'POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    await it.send();
    await it.statuses('IGNORED');
    await it.native(200, 'POST', `/api/v1/endpoints/${it.endpoint.id}/enable`);
    await it.retry({});
    const [, child] = await it.statuses('RETRIED', 'FAILED');
    expect(child.faultCode).toBe('FAILED_TO_FIND_LOCAL_PROFILE');
  });

  test('a suppressed duplicate stays an IGNORED child, never sent', async () => {
    const it = await scene();
    await it.send({ n: 1 }, { id: 'once' });
    await it.statuses('COMPLETED');
    await it.send({ n: 2 }, { id: 'once' });
    const [, ignored] = await it.statuses('COMPLETED', 'IGNORED');
    await it.retry({ executionIds: [ignored.executionId] });
    const [, parent, child] = await it.statuses('COMPLETED', 'RETRIED', 'IGNORED');
    expect(child.parentExecutionId).toBe(parent.executionId);
    expect(it.receiver.requests).toHaveLength(1);
  });
});

describe('Automatic delivery: every 6 minutes, 3 attempts, then FAILED plus a file.failed.v2 event', () => {
  test('as the preset of an endpoint; the event goes to those that name it, by Redrive itself, and tells nobody of its own failure', async () => {
    const it = await scene({ preset: 'stedi', retry: undefined, eventTypes: ['invoice.*'] }, status(503));
    const listener = await startReceiver(status(400));
    receivers.push(listener);
    const listening = { url: listener.url('/failed'), handle: 'listener', eventTypes: ['file.failed.v2'] };
    await engine.client.newEndpoint(it.tenant.key, listening);
    const deaf = { url: listener.url('/all'), handle: 'all', filter: { nothing: true } };
    await engine.client.newEndpoint(it.tenant.key, deaf);
    await it.send({ id: 'x-1' }, { id: 'inv-2026' });
    for (const attempts of [1, 2]) {
      await eventually('it waits for its next attempt', async () => {
        const { rows } = await engine.database.pool.query(
          // From its attempt on, however late somebody looks.
          `select extract(epoch from e.due_at - a.started_at) as wait from executions e
           join attempts a on a.execution_id = e.id and a.number = e.attempts
           where e.tenant_id = $1 and e.state = 'scheduled' and e.attempts = $2`,
          [it.tenantId, attempts],
        );
        return rows.length === 1 && Number(rows[0].wait) > 350 && Number(rows[0].wait) < 450;
      });
      await it.statuses('IN_PROGRESS');
      await it.everyDue();
    }
    await eventually(
      'it has failed',
      async () => (await it.list('?partnershipId=partner_1'))[0].status === 'FAILED',
    );
    expect(it.receiver.requests).toHaveLength(3);
    const [failed] = await it.list('?partnershipId=partner_1');
    const { body } = await it.call('GET', `/executions/${failed.executionId}`);
    expect(body.deliveryReports.map((report: { attempt: number }) => report.attempt)).toEqual([1, 2, 3]);

    await listener.waitFor(({ requests }) => requests.length === 1, 20_000);
    const [told] = listener.requests;
    expect(told?.path).toBe('/failed');
    expect(told?.id).toMatch(/^dlv_/);
    expect(JSON.parse(told?.body.toString() ?? '')).toMatchObject({
      'detail-type': 'file.failed.v2',
      account: it.tenantId,
      time: failed.processedAt,
      detail: {
        fileExecutionId: failed.executionId,
        processedAt: failed.processedAt,
        direction: 'UNKNOWN',
        errors: [{ faultCode: 'DELIVERY_FAILURE', message: failed.faultMessage }],
        source: { name: 'inv-2026' },
        partnership: { partnershipId: 'partner_1' },
      },
    });

    // The document: "You can use this endpoint to programmatically handle file.failed events."
    it.receiver.switchTo(ok);
    await it.retry({ executionIds: [failed.executionId] });
    await eventually(
      'the retry of the file is delivered',
      async () => (await it.list('?partnershipId=partner_1&status=COMPLETED')).length === 1,
    );
    // The notice itself was refused; a second sweep tells of everything that ended meanwhile.
    await eventually('the feed has passed all that ended', async () => {
      const { rows } = await engine.database.pool.query(
        `select from failed_file_feeds f join executions e on e.tenant_id = f.tenant_id
         where f.tenant_id = $1 and e.state = 'failed' and (e.finished_at, e.id) > (f.finished_at, f.execution_id)`,
        [it.tenantId],
      );
      return rows.length === 0;
    });
    expect(await it.list('?partnershipId=listener')).toMatchObject([{ status: 'FAILED' }]);
    expect(listener.requests).toHaveLength(1);
  });
});

describe('a retry that is sent', () => {
  test('a receiver that answers 207 makes PARTIALLY_COMPLETED, which is not retried', async () => {
    const it = await scene({}, status(207));
    await it.send();
    const [partly] = await it.statuses('PARTIALLY_COMPLETED');
    await it.retry({});
    await it.retry({ executionIds: [partly.executionId] });
    await it.statuses('PARTIALLY_COMPLETED');
  });

  test('"all matching executions will be queued": each is sent once, whoever asks for it at the same moment', async () => {
    const it = await scene();
    await seedFailures(engine.database.pool, {
      tenantId: it.tenantId,
      endpointIds: [uuidIn('endpoint', it.endpoint.id)],
      count: 300,
    });
    const first = (await it.list('?pageSize=50')).map((each: { executionId: string }) => each.executionId);
    await Promise.all([
      it.retry({ status: 'FAILED' }),
      it.retry({}),
      it.retry({ executionIds: first }),
      it.retry({ partnershipId: 'partner_1' }),
    ]);
    await it.receiver.waitFor(({ requests }) => requests.length >= 300, 20_000);
    await eventually(
      'all are completed',
      async () => (await it.list('?status=COMPLETED&pageSize=500')).length === 300,
    );
    expect(await it.list('?status=RETRIED&pageSize=500')).toHaveLength(300);
    expect(it.receiver.requests).toHaveLength(300);
    expect(it.receiver.maxOverlap).toBe(1);
  });

  test('a poller gets every execution once, in order, while the engine works', async () => {
    const it = await scene();
    const endpointIds = [uuidIn('endpoint', it.endpoint.id)];
    await seedFailures(engine.database.pool, { tenantId: it.tenantId, endpointIds, count: 200 });
    const polled: { executionId: string; processedAt: string; status: string }[] = [];
    let query = `startDateTime=${new Date(Date.now() - 61_000).toISOString()}`;
    const polling = eventually(
      'all that ended is polled',
      async () => {
        const { body } = await it.call('GET', `/polling/executions?pageSize=50&${query}`);
        polled.push(...body.items);
        query = `pageToken=${body.nextPageToken}`;
        if (body.items.length === 0) await delay(100);
        return polled.length >= 300;
      },
      { withinMs: 40_000, otherwise: () => `${polled.length} executions` },
    );
    await it.retry({ status: 'FAILED' });
    for (let n = 0; n < 100; n++) {
      if (n === 50) it.receiver.switchTo(status(400));
      await it.send({ n });
    }
    await polling;
    const all = await it.list('?pageSize=500');
    expect(all).toHaveLength(500);
    const ended = all.filter((each: { status: string }) => each.status !== 'RETRIED');
    expect(polled.map(({ executionId }) => executionId).sort()).toEqual(
      ended.map((each: { executionId: string }) => each.executionId).sort(),
    );
    const times = polled.map(({ processedAt }) => processedAt);
    expect(times).toEqual([...times].sort());
  });
});

describe('POST /events/{eventId}/retry', () => {
  test.each(['', '/2023-08-01'])(
    'answers {eventId: <new>}: a new event and delivery linked to the old, at "%s"',
    async (prefix) => {
      const it = await scene({}, status(400));
      const eventId = await it.send('{"kept": "byte for byte"}', { key: 'k', source: 's' });
      await it.statuses('FAILED');
      it.receiver.switchTo(ok);
      const { status: answered, body } = await it.call('POST', `${prefix}/events/${eventId}/retry`);
      expect(answered).toBe(200);
      expect(Object.keys(body)).toEqual(['eventId']);
      expect(body.eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
      expect(body.eventId).not.toBe(eventId);
      const [, again] = await it.statuses('FAILED', 'COMPLETED');
      expect(again).not.toHaveProperty('parentExecutionId');
      const [first, second] = it.receiver.requests;
      expect(second?.body).toEqual(first?.body);
      expect(second?.id).not.toBe(first?.id);
      const { rows } = await engine.database.pool.query(
        `select v.replay_of, v.type, v.source, v.key, o.event_id as of_event from events v
       join deliveries d on d.event_id = v.id join deliveries o on o.id = d.replay_of where v.id = $1`,
        [body.eventId],
      );
      expect(rows).toEqual([
        { replay_of: eventId, type: 'invoice.sent', source: 's', key: 'k', of_event: eventId },
      ]);
      const event = await it.native(200, 'GET', `/api/v1/events/${body.eventId}?include=payload`);
      expect(event.body).toMatchObject({
        payload: '{"kept": "byte for byte"}',
        deliveries: [{ state: 'delivered' }],
      });
    },
  );

  test('with an Idempotency-Key it is done once', async () => {
    const it = await scene();
    const eventId = await it.send();
    await it.statuses('COMPLETED');
    const again = () =>
      it.call('POST', `/events/${eventId}/retry`, undefined, { 'idempotency-key': 'again' });
    const answers = await Promise.all([again(), again(), again()]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await again()).text).toBe(answers[0]?.text);
    await it.statuses('COMPLETED', 'COMPLETED');
    const other = await it.call('POST', `/events/${answers[0]?.body.eventId}/retry`, undefined, {
      'idempotency-key': 'again',
    });
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
  });

  test.each([{ approveAbove: 0 }, { approveWhen: ['replayOfDelivered'] }, { reasonAbove: 0 }])(
    'is refused, and nothing is made, where the policy %j would hold a retry of it; a replay in the native API waits',
    async (policy) => {
      const it = await scene();
      const eventId = await it.send();
      await it.statuses('COMPLETED');
      const governed = govern(engine, it.tenant);
      await governed.set(policy);
      const refused = await it.call('POST', `/events/${eventId}/retry`);
      expect(refused.status).toBe(409);
      expect(refused.body).toEqual({
        message: expect.stringMatching(/^The policy holds this for .*`POST \/api\/v1\/retries`/),
      });
      expect((await it.call('POST', `/events/${crypto.randomUUID()}/retry`)).status).toBe(404);
      await it.statuses('COMPLETED');
      const replay = { mode: 'replay', newIdentity: true, select: { eventIds: [eventId] } };
      const { body } = await it.native(202, 'POST', '/api/v1/retries', replay);
      await governed.waiting(body.id);
      // What the policy lets go is made as ever.
      await governed.set({ approveAbove: 1, quotas: { itemsPerDay: 0 } });
      expect((await it.call('POST', `/events/${eventId}/retry`)).status).toBe(200);
      await it.statuses('COMPLETED', 'IN_PROGRESS', 'COMPLETED');
    },
  );

  test('a delivery at an endpoint that is disabled or deleted is ignored', async () => {
    const it = await scene();
    const eventId = await it.send();
    await it.statuses('COMPLETED');
    await it.native(200, 'POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    await it.call('POST', `/events/${eventId}/retry`);
    await it.statuses('COMPLETED', 'IGNORED');
    await it.native(204, 'DELETE', `/api/v1/endpoints/${it.endpoint.id}`);
    await it.call('POST', `/events/${eventId}/retry`);
    await it.statuses('COMPLETED', 'IGNORED', 'IGNORED');
    expect(it.receiver.requests).toHaveLength(1);
  });

  test('an unknown or foreign event is not there; one without a payload, or a duplicate, cannot be sent', async () => {
    const it = await scene();
    const other = await scene();
    const foreign = await other.send();
    for (const id of [foreign, crypto.randomUUID(), 'nothing', '%00'])
      expect(await it.call('POST', `/events/${id}/retry`)).toMatchObject({
        status: 404,
        body: { code: 'NOT_FOUND' },
      });
    const first = await it.send({}, { id: 'once' });
    const duplicate = await it.send({}, { id: 'once' });
    expect((await it.call('POST', `/events/${duplicate}/retry`)).status).toBe(400);
    await engine.database.pool.query('delete from payloads where event_id = $1', [first]);
    const gone = await it.call('POST', `/events/${first}/retry`);
    expect(gone).toMatchObject({
      status: 400,
      body: { message: 'The payload of this event is no longer kept: there is nothing to send.' },
    });
    expect((await it.call('POST', `/events/${first}/retry`, { force: true })).status).toBe(400);
    const { rows } = await engine.database.pool.query(
      'select from events where replay_of is not null and tenant_id = $1',
      [it.tenantId],
    );
    expect(rows).toEqual([]);
  });
});

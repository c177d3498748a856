import { describe, expect, test } from '@jest/globals';
import { useApi } from '../../support/api/use-api.ts';
import { seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { type JackHenry, type JackHenryRequest, jackHenryAt } from '../../support/surfaces/jack-henry.ts';

const NOBODY = '12345678-1234-1234-1234-123456789012';

const api = useApi();

/** A fresh institution, whose answers are checked against the service's own document. */
async function institution() {
  const { tenant, key } = await api.newTenant();
  const at = jackHenryAt(api.url, key);
  const call = async (path: string, request: JackHenryRequest = {}) => {
    const answer = await at.call(`/${tenant.id}${path}`, request);
    const method = request.method ?? 'POST';
    api.check.assert(method, `/a/api/enterprise-event/v1/${tenant.id}${path}`, answer);
    return answer;
  };
  return {
    id: tenant.id,
    key,
    call,
    get: (path: string) => call(path, { method: 'GET' }),
    async subscribe(config: object = {}): Promise<string> {
      const made = await call('/subscriptions', { body: { url: 'https://hooks.example/in', ...config } });
      if (made.status !== 200) throw new Error(made.text);
      return made.body.subscriptionId;
    },
    async publish(events: object[]): Promise<string[]> {
      const body = events.map((event) => ({ type: 'account.opened', payload: {}, ...event }));
      const accepted = await api.call('POST', '/api/v1/events', { key, body });
      return accepted.body.map((each: { eventId: string }) => api.uuid(each.eventId));
    },
  };
}

type Institution = Awaited<ReturnType<typeof institution>>;

/** Event numbers of a search, all pages of it. */
async function search(it: Institution, subscription: string, body: Record<string, unknown>) {
  const numbers: string[] = [];
  let pageToken: string | null = null;
  do {
    const sent: Record<string, unknown> = { ...body, ...(pageToken ? { pageToken } : {}) };
    const {
      status,
      text,
      body: page,
    }: Awaited<ReturnType<JackHenry['call']>> = await it.call(`/events/${subscription}/search`, {
      body: sent,
    });
    if (status !== 200) throw new Error(text);
    numbers.push(...page.events.map((event: { eventNum: string }) => event.eventNum));
    pageToken = page.nextPageToken;
  } while (pageToken !== null);
  return numbers;
}

describe('GET /a/api/enterprise-event/v1/{institutionId}/events/{subscriptionId}', () => {
  test('lists the events of a subscription, newest first', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    const [first, second] = await it.publish([
      { source: 'core-banking-system', ingestionBatchId: 'ingestion-batch-001' },
      {},
    ]);
    await it.subscribe();
    const answer = await it.get(`/events/${subscription}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const event = await api.call('GET', `/api/v1/events/${first}`, { key: it.key });
    expect(answer.body.events).toEqual([
      expect.objectContaining({ eventId: second, eventNum: '2', eventSource: null, ingestionBatchId: null }),
      {
        eventId: first,
        eventNum: '1',
        eventType: 'account.opened',
        eventSource: 'core-banking-system',
        eventTime: event.body.acceptedAt,
        ingestionBatchId: 'ingestion-batch-001',
        dispatchBatchId: event.body.dispatchBatchId,
        dispatchStatus: 'pending',
        attempts: 0,
        lastAttemptTime: null,
      },
    ]);
  });

  test('has at most 1,000', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    await it.publish(Array.from({ length: 1_000 }, () => ({})));
    await it.publish([{}, {}]);
    const { body } = await it.get(`/events/${subscription}`);
    expect(body.events).toHaveLength(1_000);
    expect(body.events[0].eventNum).toBe('1002');
    expect(body.events.at(-1).eventNum).toBe('3');
  });

  test('has deliberately no 404: an unknown subscription has no events', async () => {
    const it = await institution();
    const other = await institution();
    const theirs = await other.subscribe();
    await other.publish([{}]);
    for (const subscription of [NOBODY, theirs]) {
      expect(await it.get(`/events/${subscription}`)).toMatchObject({ status: 200, text: '{"events":[]}' });
      expect(await it.call(`/events/${subscription}/search`, { body: {} })).toMatchObject({
        status: 200,
        text: '{"events":[],"nextPageToken":null}',
      });
    }
  });

  test('shows a retry by its retryId as dispatchBatchId, and what failed as failed', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    await seedFailedDeliveries(api, 2, it.key);
    const retried = await it.call(`/retries/subscriptions/${subscription}`, { body: { eventNum: ['1'] } });
    const { body } = await it.get(`/events/${subscription}`);
    expect(body.events).toMatchObject([
      { eventNum: '2', dispatchStatus: 'failed', attempts: 1 },
      { eventNum: '1', dispatchBatchId: retried.body.retryId },
    ]);
    expect(await search(it, subscription, { dispatchBatchId: [retried.body.retryId] })).toEqual(['1']);
  });
});

describe('POST /a/api/enterprise-event/v1/{institutionId}/events/{subscriptionId}/search', () => {
  test('searches by event ids, numbers, time ranges, batches and dispatch status', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    await seedFailedDeliveries(api, 2, it.key);
    const [third] = await it.publish([{ ingestionBatchId: 'b' }, {}]);
    const { body } = await it.get(`/events/${subscription}`);
    const [, { eventTime }] = body.events;
    expect(await search(it, subscription, {})).toEqual(['4', '3', '2', '1']);
    expect(await search(it, subscription, { eventId: [third, NOBODY, 'x'] })).toEqual(['3']);
    expect(await search(it, subscription, { eventNum: ['1', '4', '04'] })).toEqual(['4', '1']);
    expect(await search(it, subscription, { ingestionBatchId: ['b'] })).toEqual(['3']);
    expect(await search(it, subscription, { dispatchStatus: ['failed'] })).toEqual(['2', '1']);
    expect(await search(it, subscription, { dispatchStatus: ['pending', 'succeeded'] })).toEqual(['4', '3']);
    expect(await search(it, subscription, { fromTime: eventTime })).toContain('3');
    expect(await search(it, subscription, { toTime: '2024-01-01T00:00:00Z' })).toEqual([]);
    expect(await search(it, subscription, { eventNum: ['1'], dispatchStatus: ['succeeded'] })).toEqual([]);
    for (const member of ['eventId', 'eventNum', 'dispatchStatus', 'dispatchBatchId', 'ingestionBatchId'])
      expect(await search(it, subscription, { [member]: [] })).toEqual([]);
    expect(await it.call(`/events/${subscription}/search`)).toMatchObject({ status: 200 });
  });

  test('is paginated', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    await it.publish(Array.from({ length: 5 }, () => ({})));
    for (const pageSize of [1, 2, 5, 6])
      expect(await search(it, subscription, { pageSize })).toEqual(['5', '4', '3', '2', '1']);
  });

  test('refuses a page token that is not its own, and what it does not know', async () => {
    const it = await institution();
    const subscription = await it.subscribe();
    await it.publish([{}, {}]);
    const page = await it.call(`/events/${subscription}/search`, { body: { pageSize: 1 } });
    const pageToken = page.body.nextPageToken;
    const bad: [Record<string, unknown>, string][] = [
      [{ pageToken: 'x' }, 'pageToken'],
      [{ pageToken, eventNum: ['1'] }, 'pageToken'],
      [{ pageSize: 0 }, 'pageSize'],
      [{ pageSize: 1_001 }, 'pageSize'],
      [{ pageSize: '1' }, 'pageSize'],
      [{ surprise: 1 }, 'surprise'],
      [{ dispatchStatus: ['delivered'] }, 'dispatchStatus/0'],
      [{ fromTime: '2024-01-01T00:00:00' }, 'fromTime'],
      [{ fromTime: '2024-02-01T00:00:00Z', toTime: '2024-01-01T00:00:00Z' }, 'toTime'],
    ];
    for (const [body, member] of bad) {
      const answer = await it.call(`/events/${subscription}/search`, { body });
      expect(answer.status).toBe(400);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.body.details[0].split(': ')[0]).toBe(member);
    }
  });
});

describe('/a/api/enterprise-event/v1/{institutionId}/subscriptions', () => {
  test('POST answers 200, not 201, and makes an endpoint of the native API', async () => {
    const it = await institution();
    const body = {
      name: 'ledger',
      url: 'https://hooks.example/ledger',
      eventTypes: ['account.*'],
      filter: { 'data.amount': { $gte: 100 } },
    };
    const made = await it.call('/subscriptions', { body });
    expect(made.status).toBe(200);
    expect(made.headers.get('content-type')).toBe('application/json');
    expect(made.body).toEqual({
      subscriptionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ...body,
      status: 'active',
      createdTime: expect.any(String),
      updatedTime: expect.any(String),
      secret: expect.stringMatching(/^whsec_/),
    });
    const path = `/api/v1/endpoints/${made.body.subscriptionId}`;
    const native = await api.call('GET', path, { key: it.key });
    expect(native.body).toMatchObject({ handle: 'ledger', url: body.url, eventTypes: body.eventTypes });
    const [eventId] = await it.publish([{ payload: { data: { amount: 100 } } }, { payload: {} }]);
    const { body: listed } = await it.get(`/events/${made.body.subscriptionId}`);
    expect(listed.events.map((event: { eventId: string }) => event.eventId)).toEqual([eventId]);
  });

  test('GET lists those of the institution, without what is secret', async () => {
    const it = await institution();
    await (await institution()).subscribe();
    const ids = [await it.subscribe(), await it.subscribe(), await it.subscribe()];
    const native = (verb: string, id?: string) =>
      api.call('POST', `/api/v1/endpoints/${id}/${verb}`, { key: it.key });
    await native('disable', ids[1]);
    await api.call('DELETE', `/api/v1/endpoints/${ids[2]}`, { key: it.key });
    const { status, body, text } = await it.get('/subscriptions');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      subscriptions: [
        { subscriptionId: ids[0], status: 'active', eventTypes: null, filter: null },
        { subscriptionId: ids[1], status: 'inactive' },
      ],
      nextPageToken: null,
    });
    expect(text).not.toContain('whsec_');
    const first = await it.get('/subscriptions?pageSize=1');
    expect(first.body.subscriptions).toHaveLength(1);
    const rest = await it.get(`/subscriptions?pageSize=1&pageToken=${first.body.nextPageToken}`);
    expect(rest.body).toMatchObject({ subscriptions: [{ subscriptionId: ids[1] }], nextPageToken: null });
    for (const query of ['pageSize=0', 'pageSize=x', 'pageToken=x', 'pageSize=1&pageSize=2', 'other=1'])
      expect((await it.get(`/subscriptions?${query}`)).status).toBe(400);
  });

  test('POST refuses what is no subscription, and a name that is taken', async () => {
    const it = await institution();
    const url = 'https://hooks.example/in';
    await it.subscribe({ name: 'taken' });
    const bad: [unknown, string, string?][] = [
      [{}, 'url'],
      [{ url: 'http://127.0.0.1/' }, 'url'],
      [{ url: 'nonsense' }, 'url'],
      [{ url, name: NOBODY }, 'name'],
      [{ url, name: 'a b' }, 'name'],
      [{ url, name: 'taken' }, 'name', 'jackhenry/operation-failed'],
      [{ url, handle: 'x' }, 'handle'],
      [{ url, eventTypes: 'x' }, 'eventTypes'],
      [{ url, filter: { a: { $near: 1 } } }, 'filter/a/$near'],
      [{ url, secret: 'x' }, 'secret'],
      [[], 'body'],
    ];
    for (const [body, member, type = 'jackhenry/invalid-request'] of bad) {
      const answer = await it.call('/subscriptions', { body });
      expect(answer).toMatchObject({ status: 400, body: { type } });
      expect(answer.body.details[0].split(': ')[0]).toBe(member);
    }
    expect((await it.call('/subscriptions')).status).toBe(400);
  });
});

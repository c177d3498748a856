import { beforeAll, describe, expect, test } from '@jest/globals';
import { withTransaction } from '../../src/store/db/pool.ts';
import { foldAttempts } from '../../src/store/figures/attempt-folds.ts';
import { sampleOperations } from '../../src/store/figures/operation-samples.ts';
import { uuidIn } from '../support/api/retries.ts';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';
import { removeOnce } from '../support/store/retention.ts';
import { sendItems } from '../support/store/send-items.ts';

const api = useApi();
const endpoints: string[] = [];
let seeded: SeededDelivery[];
let stranger: string;

beforeAll(async () => {
  endpoints.push(
    await seedEndpoint(api, api.key, { handle: 'one', eventTypes: ['seeded', 'sent'] }),
    await seedEndpoint(api, api.key, { handle: 'two', eventTypes: ['sent'] }),
  );
  seeded = await seedFailedDeliveries(api, 3);
  await api.call('POST', '/api/v1/events', { body: Array(4).fill({ type: 'sent', payload: 1 }) });
  const ids = endpoints.map((id) => uuidIn('endpoint', id));
  await sendItems(api.database.pool, ids, ({ endpointId }) => (endpointId === ids[0] ? 200 : 500));
  stranger = (await api.newTenant()).key;
});

const get = (path: string, key = api.key) => api.call('GET', `/api/v1/${path}`, { key });
const sum = (counts: number[]) => counts.reduce((all, count) => all + count, 0);

describe('GET /stats/attempts', () => {
  test('counts by what is asked for, fills with zeros, and says what is not folded', async () => {
    const { body } = await get('stats/attempts?by=endpoint,outcome');
    expect(body.buckets.length).toBeGreaterThanOrEqual(1_440);
    expect(body).toMatchObject({
      granularity: 'minute',
      total: 8,
      unfolded: 8,
      others: { groups: 0, total: 0 },
    });
    expect(body.series).toEqual(
      expect.arrayContaining([
        { endpointId: endpoints[0], outcome: 'delivered', total: 4, counts: expect.anything() },
        { endpointId: endpoints[1], outcome: 'retryable', total: 4, counts: expect.anything() },
      ]),
    );
    for (const { counts, total } of body.series) {
      expect(counts).toHaveLength(body.buckets.length);
      expect(sum(counts)).toBe(total);
    }
    await withTransaction(api.database.pool, (tx) => foldAttempts(tx, 100));
    const folded = await get('stats/attempts?by=endpoint,outcome');
    expect(folded.body).toMatchObject({
      total: 8,
      unfolded: 0,
      series: body.series.map(({ total }: { total: number }) => ({ total })),
    });
  });

  test('is bound to endpoints by id or handle, and to the tenant', async () => {
    expect((await get('stats/attempts?endpointIds=two')).body.total).toBe(4);
    expect((await get(`stats/attempts?endpointIds=${endpoints[0]}&by=fault`)).body.series).toEqual([
      { faultCode: null, total: 4, counts: expect.anything() },
    ]);
    expect((await get('stats/attempts?endpointIds=nobody')).body).toMatchObject({ code: 'unknown_ids' });
    expect((await get(`stats/attempts?endpointIds=${endpoints[0]}`, stranger)).body.total).toBe(0);
  });

  test('says where the range is longer than it can count, and since when it counts', async () => {
    const { body } = await get(
      'stats/attempts?from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z&granularity=day',
    );
    expect(body).toMatchObject({ truncated: true, total: 0 });
    expect(body.buckets).toHaveLength(366);
    expect(Date.parse(body.countedSince)).toBeGreaterThan(Date.parse('2021-01-01T00:00:00Z'));
    expect((await get('stats/attempts?from=2020-01-01T00:00:00Z')).body).toMatchObject({
      code: 'invalid_request',
      errors: [{ parameter: 'from', code: 'out_of_range' }],
    });
    for (const by of ['nothing', 'endpoint,', ''])
      expect((await get(`stats/attempts?by=${by}`)).body).toMatchObject({
        code: 'invalid_request',
        errors: [{ parameter: 'by', code: 'not_allowed' }],
      });
  });
});

test('GET /stats/events counts what was accepted', async () => {
  const { body } = await get('stats/events?granularity=hour');
  expect(body.total).toBe(7);
  expect(sum(body.counts)).toBe(7);
  expect(body.counts).toHaveLength(body.buckets.length);
  expect(body).toMatchObject({ truncated: false, countedSince: null });
  expect((await get('stats/events', stranger)).body.total).toBe(0);
});

test('GET /stats/events says since when it counts, once events are past their term', async () => {
  const { tenant, key } = await api.newTenant();
  for (const type of ['old', 'new'])
    await api.call('POST', '/api/v1/events', { key, body: { type, payload: 1 } });
  const { pool } = api.database;
  await pool.query(
    `update events set accepted_at = timestamptz '2026-01-02T03:04:05Z' where tenant_id = $1 and type = 'old'`,
    [tenant.id],
  );
  const asked = (from: string) =>
    get(`stats/events?granularity=day&from=${from}&to=2026-01-08T00:00:00Z`, key).then(({ body }) => body);
  expect(await asked('2026-01-01T00:00:00Z')).toMatchObject({ total: 1, countedSince: null });
  await pool.query(`update tenants set settings = '{"eventRetentionDays": 1}' where id = $1`, [tenant.id]);
  expect(await removeOnce(pool, tenant.id)).toMatchObject({ events: 1 });
  const countedSince = '2026-01-02T03:04:05.000Z';
  expect(await asked('2026-01-01T00:00:00Z')).toMatchObject({ total: 0, truncated: true, countedSince });
  expect(await asked('2026-01-03T00:00:00Z')).toMatchObject({ truncated: false, countedSince });
  expect((await get('stats/events', key)).body).toMatchObject({ total: 1, truncated: false });
});

describe('GET /deliveries/count and /failures/groups', () => {
  test('count what the list with the same filter has', async () => {
    for (const query of ['', 'state=failed', 'state=delivered', 'endpointIds=one&state=failed', 'key=k1']) {
      const listed = await get(`deliveries?${query}`);
      expect((await get(`deliveries/count?${query}`)).body).toMatchObject({
        count: listed.body.items.length,
        basis: 'exact',
      });
    }
    expect((await get(`deliveries/count?endpointIds=${endpoints[0]}`, stranger)).body.count).toBe(0);
    expect((await get('deliveries/count?endpointIds=one', stranger)).body.code).toBe('unknown_ids');
  });

  test('group what failed, by endpoint, cause and status', async () => {
    const { body } = await get('failures/groups?by=endpoint,fault,status');
    expect(body).toMatchObject({
      count: 7,
      basis: 'exact',
      groups: [
        { endpointId: endpoints[1], faultCode: 'http_5xx', httpStatus: 500, count: 4 },
        { endpointId: endpoints[0], faultCode: 'http_4xx', httpStatus: 404, count: 3 },
      ],
      others: { groups: 0, count: 0 },
    });
    expect((await get('failures/groups?by=type,hour&eventTypes=seeded')).body.groups).toMatchObject([
      { eventType: 'seeded', count: 3 },
    ]);
    expect((await get('failures/groups?by=endpoint', stranger)).body).toMatchObject({ count: 0, groups: [] });
    expect((await get('failures/groups')).body.groups).toMatchObject([
      { endpointId: endpoints[1], faultCode: 'http_5xx', count: 4 },
      { endpointId: endpoints[0], faultCode: 'http_4xx', count: 3 },
    ]);
  });
});

describe('an operation', () => {
  let id: string;

  beforeAll(async () => {
    const deliveryIds = seeded.map(({ deliveryId }) => deliveryId);
    const started = await api.call('POST', '/api/v1/retries', {
      body: {
        select: { deliveryIds },
        reason: 'Their outage of Monday',
        ticket: 'OPS-7',
        options: { canary: { count: 1, maxFailurePercent: 0 } },
      },
    });
    id = started.body.id;
  });

  test('is found by who asked for it, its kind, endpoint, time and words', async () => {
    const { requestedBy, createdAt } = (await get(`retries/${id}`)).body;
    for (const query of [
      `actor=${encodeURIComponent(requestedBy)}`,
      'kind=retry',
      'endpointIds=one',
      `endpointIds=${endpoints[0]}&endpointIds=two`,
      `from=${createdAt}`,
      'text=outage',
      'text=ops-7&state=running&state=accepted',
    ])
      expect((await get(`retries?${query}`)).body.items).toMatchObject([{ id, requestedBy }]);
    for (const query of [
      'actor=key_nobody',
      'kind=replay',
      'endpointIds=two',
      `to=${createdAt}`,
      'text=Tuesday',
    ])
      expect((await get(`retries?${query}`)).body.items).toEqual([]);
    for (const query of ['text=outage', `actor=${encodeURIComponent(requestedBy)}`])
      expect((await get(`retries?${query}`, stranger)).body.items).toEqual([]);
  });

  test('is shown by endpoint and over time, to its tenant alone', async () => {
    await sampleOperations(api.database.pool);
    const shown = await get(`retries/${id}/endpoints`);
    expect(shown.body).toMatchObject({
      basis: 'exact',
      endpointCount: 1,
      counts: { expected: 3 },
      endpoints: [
        { endpointId: endpoints[0], handle: 'one', state: 'enabled', counts: { expected: 3 }, canary: null },
      ],
      others: { expected: 0 },
    });
    const samples = await get(`retries/${id}/samples`);
    const points = samples.body.points as { at: string; counts: { expected: number } }[];
    expect(points[0]?.counts.expected).toBe(0);
    expect(points.at(-1)?.counts.expected).toBe(3);
    expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).sort());
    for (const path of ['endpoints', 'samples'])
      expect((await get(`retries/${id}/${path}`, stranger)).status).toBe(404);
  });

  test('goes on at some endpoints alone where it has a canary', async () => {
    const steer = (verb: string, body?: object, key = api.key) =>
      api.call('POST', `/api/v1/retries/${id}/${verb}`, { key, ...(body ? { body } : {}) });
    await steer('pause');
    expect((await steer('resume', { endpointIds: ['nobody'] })).body).toMatchObject({
      code: 'unknown_ids',
      errors: [{ pointer: '#/endpointIds/0' }],
    });
    expect((await steer('resume', { endpointIds: [endpoints[0]] }, stranger)).body.code).toBe('unknown_ids');
    expect((await steer('resume', { endpointIds: ['two'] })).status).toBe(200);
    const { body } = await get(`retries/${id}`);
    expect(body.controls.at(-1)).toMatchObject({ did: 'resume', endpointIds: [endpoints[1]] });
    await steer('pause');
    expect((await steer('resume', {})).status).toBe(200);
    const plain = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [] } } });
    const refused = await api.call('POST', `/api/v1/retries/${plain.body.id}/resume`, {
      body: { endpointIds: ['one'] },
    });
    expect(refused.body).toMatchObject({ code: 'state_conflict', detail: expect.stringContaining('canary') });
  });
});

describe('GET /events', () => {
  test('lists what was accepted, newest first, with the states of its deliveries', async () => {
    const all = (await get('events')).body.items;
    expect(all.map(({ number }: { number: number }) => number)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(all[0]).toMatchObject({
      type: 'sent',
      deliveries: { delivered: 1, failed: 1 },
      payloadKept: true,
    });
    expect((await get('events?eventTypes=seeded&key=k1')).body.items).toMatchObject([
      { id: seeded[1]?.eventId, key: 'k1', source: 'seed' },
    ]);
    const first = await get('events?limit=4');
    const rest = await get(`events?limit=4&cursor=${first.body.nextCursor}`);
    expect([...first.body.items, ...rest.body.items]).toEqual(all);
    expect((await get('events', stranger)).body.items).toEqual([]);
  });
});

describe('GET /endpoints/{id}/versions', () => {
  test('shows each version with what it changed', async () => {
    const id = await seedEndpoint(api, api.key, {
      handle: 'changing',
      eventTypes: ['never'],
      headers: { 'x-key': 'one' },
    });
    const change = (body: object) => api.call('PATCH', `/api/v1/endpoints/${id}`, { body });
    await change({ url: 'https://hooks.example/moved', retry: { maxAttempts: 2 } });
    await change({ headers: { 'x-key': 'another' } });
    const { body, text } = await get('endpoints/changing/versions');
    expect(body.items).toMatchObject([
      { version: 3, current: true, changed: [], headersChanged: true },
      {
        version: 2,
        current: false,
        changed: [
          { member: 'url', was: 'https://hooks.example/in', now: 'https://hooks.example/moved' },
          { member: 'retry', was: { maxAttempts: expect.anything() }, now: { maxAttempts: 2 } },
        ],
        headersChanged: false,
      },
      { version: 1, changed: [], config: { url: 'https://hooks.example/in', headerNames: ['x-key'] } },
    ]);
    expect(text).not.toContain('another');
    const page = await get(`endpoints/${id}/versions?limit=1`);
    const next = await get(`endpoints/${id}/versions?limit=1&cursor=${page.body.nextCursor}`);
    expect([...page.body.items, ...next.body.items]).toEqual(body.items.slice(0, 2));
    expect((await get(`endpoints/${id}/versions`, stranger)).status).toBe(404);
  });
});

test('an endpoint is shown with how long its newest answers took', async () => {
  expect((await get(`endpoints/${endpoints[0]}`)).body).toMatchObject({
    window: null,
    latency: { p50Ms: expect.any(Number), p95Ms: expect.any(Number), answers: 7 },
  });
  const id = await seedEndpoint(api, api.key, { eventTypes: ['never'] });
  expect((await get(`endpoints/${id}`)).body).toMatchObject({ window: null, latency: null });
});

describe('POST /endpoints/{id}/test', () => {
  const test_ = (id: string, key = api.key) => api.call('POST', `/api/v1/endpoints/${id}/test`, { key });

  test('makes a marked delivery to this endpoint alone, whatever it asks for', async () => {
    const before = api.poked.liveLane;
    const { status, body } = await test_('two');
    expect(status).toBe(202);
    expect(api.poked.liveLane).toBe(before + 1);
    const delivery = (await get(`deliveries/${body.deliveryId}`)).body;
    expect(delivery).toMatchObject({
      test: true,
      state: 'pending',
      endpointId: endpoints[1],
      event: { id: body.eventId, type: 'endpoint.test', source: 'redrive' },
    });
    const event = (await get(`events/${body.eventId}?include=payload`)).body;
    expect(event.deliveries).toHaveLength(1);
    expect(event.payload).toMatchObject({ type: 'endpoint.test', data: { endpointId: endpoints[1] } });
    expect((await get('deliveries?eventTypes=endpoint.test')).body.items).toMatchObject([
      { id: body.deliveryId },
    ]);
    expect((await test_('two', stranger)).status).toBe(404);
  });

  test('is refused where the endpoint takes nothing', async () => {
    const id = await seedEndpoint(api, api.key, { eventTypes: ['never'] });
    await api.call('POST', `/api/v1/endpoints/${id}/disable`);
    expect((await test_(id)).body).toMatchObject({
      code: 'state_conflict',
      detail: expect.stringContaining('enable'),
    });
    await api.call('DELETE', `/api/v1/endpoints/${id}`);
    expect((await test_(id)).body.code).toBe('state_conflict');
  });
});

describe('GET /search', () => {
  const found = async (q: string, key = api.key) =>
    (await get(`search?q=${encodeURIComponent(q)}`, key)).body.items as {
      kind: string;
      id: string;
      link: string;
    }[];

  test('finds any id in either spelling, and exact names, and shows where they are', async () => {
    const one = seeded[0] as SeededDelivery;
    for (const [id, kind, link] of [
      [one.deliveryId, 'delivery', 'deliveries'],
      [one.executionId, 'execution', 'executions'],
      [one.eventId, 'event', 'events'],
      [endpoints[0] as string, 'endpoint', 'endpoints'],
    ] as const)
      for (const spelling of [id, api.uuid(id)])
        expect(await found(spelling)).toEqual([
          expect.objectContaining({ kind, id, matched: 'id', link: `/api/v1/${link}/${id}` }),
        ]);
    expect(await found(one.eventId.replace(/^evt/, 'rcp'))).toMatchObject([
      { kind: 'event', id: one.eventId },
    ]);
    expect(await found(' one ')).toMatchObject([{ kind: 'endpoint', id: endpoints[0], matched: 'handle' }]);
    expect(await found('k2')).toMatchObject([{ kind: 'event', id: seeded[2]?.eventId, matched: 'key' }]);
    expect(await found('OPS-7')).toMatchObject([{ kind: 'operation', matched: 'ticket' }]);
    expect(await found('operation.paused')).toMatchObject([
      { kind: 'action', link: '/api/v1/audit?action=operation.paused' },
    ]);
    const named = await api.call('POST', '/api/v1/events', { body: { id: 'inv-1', type: 'x', payload: 1 } });
    expect(await found('inv-1')).toMatchObject([
      { kind: 'event', id: named.body.eventId, matched: 'externalId' },
    ]);
    for (const nothing of ['k', 'OPS', 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s', "'; drop table events; --"])
      expect(await found(nothing)).toEqual([]);
  });

  test('finds an import, what is sent with an id that it kept, and the endpoint of a listener', async () => {
    const { key } = await api.newTenant();
    const endpointId = await seedEndpoint(api, key);
    const body = { from: 'ndjson', map: { theirs: endpointId }, keepIds: true };
    const opened = await api.call('POST', '/api/v1/imports', { key, body });
    const line = { id: 'kept-1', type: 'a.b', endpoint: 'theirs', payload: 1 };
    await api.call('PUT', `${opened.body.links.self}/lines`, {
      key,
      body: JSON.stringify(line),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const [{ deliveryId, eventId }] = (await api.call('GET', `${opened.body.links.self}/lines`, { key })).body
      .items;
    expect(await found('kept-1', key)).toMatchObject([
      { kind: 'delivery', id: deliveryId, matched: 'webhookId', state: 'failed', title: 'a.b' },
      { kind: 'event', id: eventId, matched: 'externalId' },
    ]);
    const { id } = opened.body;
    expect(await found(id, key)).toMatchObject([{ kind: 'import', id, link: `/api/v1/imports/${id}` }]);
    const listener = await api.call('POST', '/api/v1/listeners', { key, body: {} });
    expect(await found(listener.body.id, key)).toMatchObject([
      { kind: 'endpoint', id: listener.body.endpointId, matched: 'listener' },
    ]);
    for (const q of ['kept-1', id, listener.body.id]) expect(await found(q, stranger)).toEqual([]);
    expect(await found(id, await api.newKey(api.tenant.id, ['read:deliveries']))).toEqual([]);
  });

  test('finds nothing of another tenant, and nothing that the credential may not read', async () => {
    for (const q of [seeded[0]?.deliveryId ?? '', endpoints[0] ?? '', 'k2', 'one', 'OPS-7'])
      expect(await found(q, stranger)).toEqual([]);
    const reader = await api.newKey(api.tenant.id, ['read:deliveries']);
    expect(await found('one', reader)).toEqual([]);
    expect(await found('operation.paused', reader)).toEqual([]);
    expect(await found('k2', reader)).toHaveLength(1);
  });
});

test('the items of an operation are a table, in which no word is a formula', async () => {
  const event = { type: 'seeded', id: '=1+1', key: '@SUM(A1)', payload: 1 };
  const { body } = await api.call('POST', '/api/v1/events', { body: event });
  const started = await api.call('POST', '/api/v1/retries', {
    body: { select: { eventIds: [body.eventId] } },
  });
  const answer = await api.call('GET', `/api/v1/retries/${started.body.id}/items`, {
    headers: { accept: 'text/csv' },
  });
  expect(answer.headers.get('content-type')).toMatch(/^text\/csv/);
  const [head, line, end] = answer.text.split('\r\n');
  expect(head).toMatch(/^kind,deliveryId,executionId,/);
  expect(line).toContain(`,${body.eventId},'=1+1,seeded,'@SUM(A1),`);
  expect(end).toBe('');
});

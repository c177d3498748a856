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
  expect((await get('stats/events', stranger)).body.total).toBe(0);
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
    expect((await get('failures/groups')).body).toMatchObject({
      errors: [{ parameter: 'by', code: 'required' }],
    });
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

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type SeededDelivery, seedEndpoint, seedFailedDeliveries } from '../support/failed-deliveries.ts';
import { startTestApi, type TestApi } from '../support/test-api.ts';

let api: TestApi;
let endpointId: string;
let seeded: SeededDelivery[];

beforeAll(async () => {
  api = await startTestApi();
  endpointId = await seedEndpoint(api);
  seeded = await seedFailedDeliveries(api, 7);
});
afterAll(() => api.close());

const list = (query: string) => api.call('GET', `/api/v1/deliveries?${query}`);
const idsOf = (answer: { body: { items: { id: string }[] } }) => answer.body.items.map(({ id }) => id);

describe('the list of deliveries', () => {
  test('is newest first, page by page, each once', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(`limit=3${cursor && `&cursor=${cursor}`}`);
      expect(page.body.items.length).toBeLessThanOrEqual(3);
      seen.push(...idsOf(page));
      cursor = page.body.nextCursor;
    }
    expect(seen).toEqual(seeded.map(({ deliveryId }) => deliveryId).reverse());
  });

  test.each([
    ['state=failed', 7],
    ['state=delivered&state=pending', 0],
    ['state=failed&state=pending', 7],
    ['eventTypes=seeded', 7],
    ['eventTypes=other', 0],
    ['sources=seed', 7],
    ['key=k3', 1],
    ['faultCodes=http_4xx', 7],
    ['faultCodes=timeout&faultCodes=http_5xx', 0],
    ['httpStatus=404', 7],
    ['httpStatus=500', 0],
    ['ingestionBatchIds=none', 0],
    ['from=2020-01-01T00:00:00Z', 7],
    ['to=2020-01-01T00:00:00Z', 0],
    ['lastAttemptAfter=2020-01-01T00:00:00Z&lastAttemptBefore=2126-01-01T00:00:00%2B02:00', 7],
    ['pendingLongerThanMs=0', 0],
  ])('knows %s', async (query, count) => {
    expect((await list(query)).body.items.length).toBe(count);
  });

  test('knows endpoints in both spellings, and finds nothing at those of others', async () => {
    expect((await list(`endpointIds=${endpointId}`)).body.items.length).toBe(7);
    expect((await list(`endpointIds=${api.uuid(endpointId)}&state=failed`)).body.items.length).toBe(7);
    const { key } = await api.newTenant();
    const theirs = await seedEndpoint(api, key);
    expect((await list(`endpointIds=${theirs}`)).body.items).toEqual([]);
  });

  test('knows what was dispatched together', async () => {
    const event = await api.call('GET', `/api/v1/events/${seeded[0]?.eventId}`);
    expect((await list(`dispatchBatchIds=${event.body.dispatchBatchId}`)).body.items.length).toBe(7);
  });

  test('takes the start of a range and not its end', async () => {
    const { body } = await api.call('GET', `/api/v1/deliveries/${seeded[0]?.deliveryId}`);
    const { rows } = await api.database.pool.query(
      `select to_char(accepted_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from deliveries where id = $1`,
      [api.uuid(body.id)],
    );
    expect((await list(`from=${rows[0].at}`)).body.items.length).toBe(7);
    expect((await list(`to=${rows[0].at}`)).body.items.length).toBe(0);
    expect((await list(`from=${rows[0].at}&to=${rows[0].at}`)).body.items.length).toBe(0);
  });

  test.each([
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'to', 'out_of_range'],
    ['from=2026-01-02', 'from', 'wrong_format'],
    ['from=2026-01-02T00:00:00', 'from', 'wrong_format'],
    ['from=0001-01-02T00:00:00Z', 'from', 'out_of_range'],
    ['state=broken', 'state', 'not_allowed'],
    ['faultCodes=http_404', 'faultCodes', 'not_allowed'],
    ['httpStatus=x', 'httpStatus', 'wrong_format'],
    ['key=a&key=b', 'key', 'wrong_type'],
    ['pendingLongerThanMs=-1', 'pendingLongerThanMs', 'wrong_format'],
  ])('refuses %s', async (query, parameter, code) => {
    expect(await list(query)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ parameter, code }] },
    });
  });

  test('refuses a cursor of another filter or tenant', async () => {
    const { body } = await list('limit=1&state=failed');
    const cursor = body.nextCursor;
    expect((await list(`limit=2&state=failed&cursor=${cursor}`)).status).toBe(200);
    expect((await list(`limit=1&cursor=${cursor}`)).body.code).toBe('invalid_cursor');
    expect((await list(`limit=1&state=failed&key=k1&cursor=${cursor}`)).body.code).toBe('invalid_cursor');
    const { key } = await api.newTenant();
    expect(
      (await api.call('GET', `/api/v1/deliveries?state=failed&cursor=${cursor}`, { key })).body.code,
    ).toBe('invalid_cursor');
  });
});

describe('a delivery', () => {
  test('shows its executions and their attempts, with the answer as text', async () => {
    const [first] = seeded;
    const shown = await api.call('GET', `/api/v1/deliveries/${first?.deliveryId}`);
    expect(shown.body).toMatchObject({
      endpointId,
      event: { id: first?.eventId, number: 1, type: 'seeded', source: 'seed', key: 'k0' },
      state: 'failed',
      attempts: 1,
      faultCode: 'http_4xx',
      httpStatus: 404,
      originalVersion: 1,
      moreExecutions: false,
      executions: [
        {
          id: first?.executionId,
          state: 'failed',
          reason: 'permanent',
          operationId: null,
          attempts: [{ number: 1, outcome: 'permanent', responseExcerpt: 'no\ufffd' }],
        },
      ],
    });
    const execution = await api.call('GET', `/api/v1/executions/${first?.executionId}`);
    expect(execution.body).toEqual(shown.body.executions[0]);
  });

  test('whose outcome is not unknown cannot be resolved', async () => {
    const refused = await api.call('POST', `/api/v1/deliveries/${seeded[0]?.deliveryId}/resolve`, {
      body: { outcome: 'delivered', confirm: true },
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
    const unconfirmed = await api.call('POST', `/api/v1/deliveries/${seeded[0]?.deliveryId}/resolve`, {
      body: { outcome: 'delivered', confirm: false },
    });
    expect(unconfirmed).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/confirm', code: 'not_allowed' }] },
    });
  });
});

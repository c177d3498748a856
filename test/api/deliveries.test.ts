import { beforeAll, describe, expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';

const api = useApi();
let endpointId: string;
let seeded: SeededDelivery[];

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
  seeded = await seedFailedDeliveries(api, 7);
});

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

  test('knows the deliveries that were dispatched together', async () => {
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
    expect((await list(`from=${body.acceptedAt}`)).body.items.length).toBe(7);
    expect((await list(`to=${body.acceptedAt}`)).body.items.length).toBe(0);
    expect((await list('from=2024-01-01T00:00:00%2B16:00&to=9999-12-31T23:59:59Z')).body.items.length).toBe(
      7,
    );
  });

  test.each([
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'to', 'out_of_range'],
    ['from=2026-01-02', 'from', 'wrong_format'],
    ['from=2026-01-02T00:00:00', 'from', 'wrong_format'],
    ['from=0000-01-02T00:00:00Z', 'from', 'out_of_range'],
    ['from=2026-01-02T00:00:00+01:00', 'from', 'wrong_format'],
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

  test('is found by an id alone: any other word in its path names no call', async () => {
    for (const path of ['/api/v1/deliveries/summary', '/api/v1/executions/none'])
      expect(await api.call('GET', path)).toMatchObject({
        status: 404,
        body: { code: 'not_found', detail: expect.stringContaining('No call has this path') },
      });
    expect((await api.call('GET', '/api/v1/deliveries/resolve')).status).toBe(405);
  });
});

describe('deliveries whose outcome is unknown', () => {
  let deliveryIds: string[];

  beforeAll(async () => {
    const accepted = await api.call('POST', '/api/v1/events', {
      body: Array.from({ length: 5 }, (_, n) => ({ id: `unknown-${n}`, type: 'lost', payload: n })),
    });
    deliveryIds = await Promise.all(
      accepted.body.map(
        async ({ eventId }: { eventId: string }) =>
          (await api.call('GET', `/api/v1/events/${eventId}`)).body.deliveries[0].id,
      ),
    );
    const uuids = deliveryIds.map((id) => api.uuid(id));
    const set = (text: string) =>
      api.database.pool.query(`update executions set ${text} where delivery_id = any($1)`, [uuids]);
    await set(`state = 'sending', lease_token = uuidv7()`);
    await set(`state = 'unknown', lease_token = null, attempts = 1, may_have_arrived = true`);
    await api.database.pool.query(
      `update deliveries set state = 'unknown', attempts = 1, last_attempt_at = now(), state_changed_at = now()
       where id = any($1)`,
      [uuids],
    );
  });

  const resolve = (body: object, key?: string) =>
    api.call('POST', '/api/v1/deliveries/resolve', {
      body,
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const said = { outcome: 'delivered', reason: 'found in their journal', confirm: true };

  test('are listed with the ids to ask their receiver for, as a page or line by line', async () => {
    const page = await list('state=unknown&limit=2');
    expect(page.body.items).toMatchObject([{ event: { externalId: 'unknown-4' } }, {}]);
    const stream = await api.call('GET', '/api/v1/deliveries?state=unknown', {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(stream.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = stream.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ webhookId }) => webhookId)).toEqual([...deliveryIds].reverse());
    expect(lines.slice(0, 2)).toEqual(page.body.items);
    const none = await api.call('GET', '/api/v1/deliveries?state=cancelled', {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(none.text).toBe('');
  });

  test('are settled together, with who said so and why', async () => {
    const some = deliveryIds.slice(0, 2);
    const answer = await resolve({ select: { deliveryIds: [...some, seeded[0]?.deliveryId] }, ...said });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id: expect.stringMatching(/^rsl_/),
        outcome: 'delivered',
        resolved: 2,
        notUnknown: 1,
        more: false,
      },
    });
    const shown = await api.call('GET', `/api/v1/deliveries/${some[0]}`);
    const keys = await api.call('GET', '/api/v1/keys');
    expect(shown.body).toMatchObject({
      state: 'delivered',
      executions: [
        { resolution: { outcome: 'delivered', by: keys.body.items.at(-1).id, reason: said.reason } },
      ],
    });
    const again = await api.call('GET', `/api/v1/executions/${seeded[0]?.executionId}`);
    expect(again.body.resolution).toBeNull();
  });

  test('are settled one by one, with a reason or without', async () => {
    const one = await api.call('POST', `/api/v1/deliveries/${deliveryIds[2]}/resolve`, {
      body: { outcome: 'failed', confirm: true, reason: 'never came' },
    });
    expect(one).toMatchObject({ status: 200, body: { state: 'failed' } });
    const shown = await api.call('GET', `/api/v1/executions/${one.body.executionId}`);
    expect(shown.body).toMatchObject({ reason: 'resolved', resolution: { reason: 'never came' } });
  });

  test('stay unknown where they are to be sent again and nothing can be, and it is said why', async () => {
    const [id] = deliveryIds.slice(3);
    const path = `/api/v1/deliveries/${id}`;
    const { endpointId } = (await api.call('GET', path)).body;
    await api.call('POST', `/api/v1/endpoints/${endpointId}/disable`);
    const again = () => api.call('POST', `${path}/resolve`, { body: { outcome: 'retry', confirm: true } });
    expect(await again()).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', detail: expect.stringContaining(`/endpoints/${endpointId}/enable`) },
    });
    expect(await resolve({ select: { deliveryIds: [id] }, ...said, outcome: 'retry' })).toMatchObject({
      status: 200,
      body: { resolved: 0, notUnknown: 0, notSendable: 1 },
    });
    expect((await api.call('GET', path)).body).toMatchObject({ state: 'unknown' });
    await api.call('POST', `/api/v1/endpoints/${endpointId}/enable`);
  });

  test('stay unknown where the policy would hold a retry of them, and it is said which call waits', async () => {
    const by = { key: api.adminKey, headers: { 'redrive-tenant': api.tenant.handle } };
    await api.call('PUT', '/api/v1/policy', { ...by, body: { approveAbove: 0 } });
    const body = { select: { filter: { eventTypes: ['lost'] } }, ...said, outcome: 'retry' };
    const one = { outcome: 'retry', confirm: true };
    for (const answer of [
      await resolve(body, 'settle-held'),
      await api.call('POST', `/api/v1/deliveries/${deliveryIds[4]}/resolve`, { body: one }),
    ])
      expect(answer).toMatchObject({
        status: 409,
        body: {
          code: 'needs_approval',
          detail: expect.stringMatching(/approval \(items\).*as `failed`.*`POST \/api\/v1\/retries`/),
        },
      });
    await api.call('PUT', '/api/v1/policy', { ...by, body: { quotas: { itemsPerDay: 1 } } });
    expect((await resolve(body, 'settle-held')).body.detail).toContain('approval (itemsPerDay)');
    await api.call('PUT', '/api/v1/policy', { ...by, body: {} });
    expect((await list('state=unknown')).body.items).toHaveLength(2);
  });

  test('are settled by a filter under a key, which gives the same answer again', async () => {
    const body = { select: { filter: { eventTypes: ['lost'] } }, ...said, outcome: 'retry' };
    expect((await resolve(body)).body.code).toBe('idempotency_key_required');
    const poked = api.poked.liveLane;
    const first = await resolve(body, 'settle-1');
    expect(first.body).toMatchObject({ resolved: 2, notUnknown: 0 });
    expect(api.poked.liveLane).toBeGreaterThan(poked);
    const again = await resolve(body, 'settle-1');
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await resolve({ ...body, outcome: 'failed' }, 'settle-1')).status).toBe(422);
    expect((await list('state=unknown')).body.items).toEqual([]);
  });

  test.each<[object, string, string]>([
    [{ select: { eventIds: ['unknown-0'] }, outcome: 'delivered', confirm: true }, '#/reason', 'required'],
    [{ select: { eventIds: [] }, ...said, confirm: false }, '#/confirm', 'not_allowed'],
    [{ select: {}, ...said }, '#/select', 'exactly_one'],
    [
      { select: { failuresOf: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' }, ...said },
      '#/select/failuresOf',
      'unknown_field',
    ],
    [{ select: { filter: { state: ['failed'] } }, ...said }, '#/select/filter/state', 'not_allowed'],
    [{ select: { eventIds: [] }, ...said, outcome: 'ignored' }, '#/outcome', 'not_allowed'],
  ])('are not settled by %j', async (body, pointer, code) => {
    expect(await resolve(body, 'k-refused')).toMatchObject({
      status: 400,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer, code })]) },
    });
  });

  test('are not settled along with ids that are nobody’s, which are named', async () => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key);
    const [theirs] = await seedFailedDeliveries(api, 1, key);
    expect(await resolve({ select: { deliveryIds: [theirs?.deliveryId] }, ...said })).toMatchObject({
      status: 404,
      body: { code: 'unknown_ids', errors: [{ pointer: '#/select/deliveryIds/0' }] },
    });
    expect(await resolve({ select: { eventIds: ['unknown-0', 'nobody'] }, ...said })).toMatchObject({
      status: 404,
      body: { errors: [{ pointer: '#/select/eventIds/1' }] },
    });
  });
});

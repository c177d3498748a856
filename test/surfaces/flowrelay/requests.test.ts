import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { apiRoutes } from '../../../src/api/server.ts';
import { createPool } from '../../../src/store/db/pool.ts';
import { SURFACES } from '../../../src/surfaces/surfaces.ts';
import { startTestApi, type TestAnswer, type TestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { receiptIdOf } from '../../support/surfaces/flowrelay-scene.ts';

const routes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ surface }) => surface.name === 'flowrelay',
);
const named = (wanted: (route: (typeof routes)[number]) => boolean) =>
  routes.filter(wanted).map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const);

const api = useApi();
let receiptId: string;
let replayId: string;
let diagnosticsId: string;

beforeAll(async () => {
  await seedEndpoint(api);
  const [seeded] = await seedFailedDeliveries(api, 1);
  receiptId = receiptIdOf(seeded?.eventId ?? '');
  const preview = await api.call('POST', `/flowrelay/v1/receipts/${receiptId}/replay/preview`, {
    body: {},
    headers: { 'idempotency-key': 'prepared' },
  });
  replayId = preview.body.replayId;
  const diagnostics = await api.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
  diagnosticsId = diagnostics.body.diagnosticsId;
});

function pathOf({ path }: { path: string }, id?: string): string {
  const own = path.includes('/replays/')
    ? replayId
    : path.includes('/diagnostics/{id}')
      ? diagnosticsId
      : receiptId;
  return path.replace('{id}', id ?? own);
}

function send(
  route: (typeof routes)[number],
  request: Parameters<TestApi['call']>[2] & { id?: string; query?: string } = {},
): Promise<TestAnswer> {
  const { id, query = '', headers, ...more } = request;
  return api.call(route.method.toUpperCase(), `${pathOf(route, id)}${query}`, {
    ...more,
    headers: { ...(route.method === 'post' ? { 'idempotency-key': randomUUID() } : {}), ...headers },
  });
}

function expectProblem(answer: TestAnswer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status, code });
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.body.instance).toBe(answer.headers.get('request-id'));
}

describe.each(named(() => true))('%s', (_, route) => {
  test('needs a credential of the tenant with its scope', async () => {
    expectProblem(await send(route, { key: undefined }), 401, 'credential_missing');
    expectProblem(await send(route, { key: 'rdk_nobody' }), 401, 'credential_invalid');
    const without = await api.newKey(api.tenant.id, ['write:events']);
    const refused = await send(route, { key: without });
    expectProblem(refused, 403, 'missing_scope');
    const { part, scope } = { part: undefined, scope: '', ...route.access };
    expect(refused.body.requiredScope).toBe(part ?? scope);
    expect(refused.body.grants).toContain('admin');
    expectProblem(await send(route, { key: api.adminKey }), 400, 'tenant_required');
    expectProblem(
      await send(route, { key: api.adminKey, headers: { 'redrive-tenant': 'nobody\0'.replace('\0', '') } }),
      404,
      'not_found',
    );
  });

  test('refuses a parameter that does not exist', async () => {
    expectProblem(await send(route, { query: '?surprise=1' }), 400, 'invalid_request');
    expectProblem(await send(route, { query: '?retryPolicy=1' }), 422, 'product_boundary');
  });

  test('answers another method as such', async () => {
    const answer = await api.call('PATCH', pathOf(route), { body: {} });
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe(route.method === 'get' ? 'GET, HEAD' : 'POST');
  });
});

describe.each(named(({ path }) => path.includes('{id}')))('%s', (_, route) => {
  test.each([
    'x',
    '%00',
    '0',
    'rcp_',
    'x'.repeat(2_000),
    '%F0%9F%98%80',
    'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
    "'--",
  ])('does not find %s', async (id) => expectProblem(await send(route, { id }), 404, 'not_found'));

  test('cannot read a path that is not percent-encoded', async () =>
    expectProblem(await send(route, { id: '%zz' }), 400, 'invalid_request'));
});

describe.each(named(({ method }) => method === 'post'))('%s', (name, route) => {
  const raw = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
    send(route, { body, headers: { 'content-type': 'application/json', ...headers } });

  test('refuses a body that is no object of its members', async () => {
    for (const body of [
      '[]',
      'null',
      '1',
      '"x"',
      '{"surprise":1}',
      '{"__proto__":{}}',
      '{"endpointId":7,"x":1}',
    ])
      expectProblem(await raw(body), 400, 'invalid_request');
    for (const body of ['{', '{"a":"\\ud800', '\u0000', '{} {}'])
      expectProblem(await raw(body), 400, 'malformed_json');
    expectProblem(await raw(`{"a":${'['.repeat(300)}${']'.repeat(300)}}`), 400, 'nested_too_deep');
    expectProblem(await raw(`{"a":"${'x'.repeat(8 * 1024 * 1024)}"}`), 413, 'body_too_large');
    expectProblem(await raw('{}', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type');
    expectProblem(
      await raw(gzipSync('{}'), { 'content-encoding': 'gzip' }),
      415,
      'unsupported_content_encoding',
    );
  });

  test('takes no body for an empty one', async () => {
    const answer = await send(route, {});
    expect(answer.status).not.toBe(400);
    expect(answer.status).toBeLessThan(500);
    expect(name).toMatch(/^POST/);
  });
});

describe('the preview', () => {
  test.each([[['a']], ['\0'], ['x'], [{}], [1], [null], ['rcp_01k9z3e5hbe7r9qk2m4n6p8r0s']])(
    'refuses %j for an endpoint',
    async (endpointId) => {
      const answer = await api.call('POST', `/flowrelay/v1/receipts/${receiptId}/replay/preview`, {
        body: { endpointId },
        headers: { 'idempotency-key': randomUUID() },
      });
      expectProblem(answer, 400, 'invalid_request');
      expect(answer.body.errors).toMatchObject([{ pointer: '#/endpointId' }]);
    },
  );

  test.each(['', 'x'.repeat(256), 'a b', '"open', 'ä'])('refuses the key %j', async (key) => {
    const answer = await api.call('POST', `/flowrelay/v1/receipts/${receiptId}/replay/preview`, {
      body: {},
      headers: { 'idempotency-key': key },
    });
    expectProblem(answer, 400, 'idempotency_key_invalid');
  });
});

describe('the confirmation', () => {
  test.each(['true', 1, null, [true]])('refuses %j for a confirmation', async (confirmDuplicateRisk) => {
    const answer = await api.call('POST', `/flowrelay/v1/replays/${replayId}/confirm`, {
      body: { confirmDuplicateRisk },
      headers: { 'idempotency-key': 'prepared' },
    });
    expectProblem(answer, 400, 'invalid_request');
  });
});

describe('the list', () => {
  test.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'limit=1&limit=2',
    'request=both',
    'request=accepted&request=rejected',
    'eventId=x',
    'requestId=%00',
    'requestId=',
    'from=yesterday',
    'from=2026-01-01T00:00:00',
    'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
  ])('refuses %s', async (query) =>
    expectProblem(await api.call('GET', `/flowrelay/v1/receipts?${query}`), 400, 'invalid_request'),
  );

  test.each(['x', 'WyJhIl0', '%00'])('refuses the cursor %s', async (cursor) =>
    expectProblem(await api.call('GET', `/flowrelay/v1/receipts?cursor=${cursor}`), 400, 'invalid_cursor'),
  );

  test('is cut by time, the start of the range within it and its end not', async () => {
    const { receivedAt } = (await api.call('GET', `/flowrelay/v1/receipts/${receiptId}`)).body;
    const later = new Date(Date.parse(receivedAt) + 1).toISOString();
    const count = async (query: string) =>
      (await api.call('GET', `/flowrelay/v1/receipts?request=accepted&${query}`)).body.items.length;
    expect(await count(`from=${receivedAt}&to=${later}`)).toBe(1);
    expect(await count(`from=${later}`)).toBe(0);
    expect(await count(`to=${receivedAt}`)).toBe(0);
  });
});

test('an unknown route below the prefix is told in the words of this surface', async () => {
  for (const path of ['/flowrelay/v1', '/flowrelay/v1/', '/flowrelay/v1/nothing', '/flowrelay/v1/receipts/'])
    expectProblem(await api.call('GET', path), 404, 'route_not_found');
});

test('a key of the installation names the tenant', async () => {
  const answer = await api.call('GET', `/flowrelay/v1/receipts/${receiptId}`, {
    key: api.adminKey,
    headers: { 'redrive-tenant': 'acme' },
  });
  expect(answer).toMatchObject({ status: 200, body: { receiptId } });
});

test('the API key and the tenant are checked before everything else', async () => {
  const answer = await api.call('POST', '/flowrelay/v1/receipts/x/replay/preview', {
    key: undefined,
    body: '{',
  });
  expectProblem(answer, 401, 'credential_missing');
});

test('while Postgres is away every call says when to come back', async () => {
  const nobody = createPool('postgres://nobody@127.0.0.1:1/nowhere');
  const other = await startTestApi({ pool: nobody });
  try {
    for (const route of routes) {
      const answer = await other.call(route.method.toUpperCase(), pathOf(route));
      expectProblem(answer, 503, 'temporarily_unavailable');
      expect(answer.headers.get('retry-after')).toBe('2');
    }
  } finally {
    await nobody.end();
    await other.close();
  }
});

test('a refusal that cannot be noted is answered all the same', async () => {
  const other = await startTestApi();
  try {
    await other.database.pool.query('alter table rejections rename to elsewhere');
    expect(await other.call('POST', '/api/v1/events', { body: { type: 1 } })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect(other.log.join('')).toContain('api.refusal_not_noted');
  } finally {
    await other.close();
  }
});

test('refusals are noted within the quota only', async () => {
  const other = await startTestApi({ rateLimit: { requests: 3, windowSeconds: 86_400 } });
  try {
    const limited = await other.newKey(other.tenant.id, ['read:deliveries']);
    for (let n = 0; n < 3; n++) {
      await other.call('POST', '/api/v1/events', { body: { type: 1 } });
      await other.call('POST', '/api/v1/events', { key: limited, body: { type: 1 } });
    }
    const { rows } = await other.database.pool.query('select code from rejections order by id');
    expect(rows.map(({ code }) => code)).toEqual([
      'invalid_request',
      'insufficient_scope',
      'invalid_request',
    ]);
  } finally {
    await other.close();
  }
});

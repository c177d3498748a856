import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { PROBLEMS } from '../../src/api/problems/problem-table.ts';
import type { Route } from '../../src/api/route.ts';
import { apiRoutes } from '../../src/api/server.ts';
import { type Scope, TENANT_SCOPES } from '../../src/domain/tenancy/scope.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { bodyFor, credentialsFor, pathFor, rowCounts, type TenantThings } from '../support/api/api-world.ts';
import type { TestAnswer, TestRequest } from '../support/api/test-api.ts';
import { useApiWorld } from '../support/api/use-api.ts';
import { eventually } from '../support/eventually.ts';

const world = useApiWorld();
/** Routes are data: their handlers are not called here, so that nothing is needed to list them. */
const routes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ surface }) => surface.name === 'native',
);
const guarded = routes.filter(({ access }) => access.of !== 'anyone');
const withBody = guarded.filter(({ method, path }) => bodyFor({ method, path }, placeholder()) !== undefined);
/** An upload has lines in the place of a body: test/api/imports. */
const posts = guarded.filter(
  ({ method, upload }) => (method === 'post' || method === 'put' || method === 'patch') && !upload,
);
const withId = guarded.filter(({ path, access }) => path.includes('{id}') && access.of === 'tenant');

const named = (list: Route[]) =>
  list.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const);

function send(route: Route, request: TestRequest & { path?: string } = {}): Promise<TestAnswer> {
  const { api, ours } = world;
  const { key, headers } = credentialsFor(route, api, ours);
  const body = bodyFor(route, ours);
  return api.call(route.method.toUpperCase(), request.path ?? pathFor(route, ours), {
    key,
    ...(body === undefined ? {} : { body }),
    ...request,
    // A key of a tenant names none.
    headers: { ...('key' in request ? {} : headers), ...request.headers },
  });
}

/** Sends a request that must be refused, and makes sure that it is, as documented, and that nothing is done. */
async function refused(sent: () => Promise<TestAnswer>, code: keyof typeof PROBLEMS): Promise<TestAnswer> {
  const before = await rowCounts(world.api);
  const answer = await sent();
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status: PROBLEMS[code].status, code });
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.body.instance).toBe(answer.headers.get('request-id'));
  expect(await rowCounts(world.api)).toEqual(before);
  return answer;
}

describe.each(named(guarded))('%s', (_, route) => {
  test('needs a credential', async () => {
    await refused(() => send(route, { key: undefined }), 'credential_missing');
    await refused(() => send(route, { key: 'rdk_nobody' }), 'credential_invalid');
  });

  test('refuses expired and revoked keys', async () => {
    const { api } = world;
    const expired = await api.newKey(api.tenant.id, TENANT_SCOPES, new Date(Date.now() - 1));
    await refused(() => send(route, { key: expired }), 'credential_expired');
    const revoked = await api.newKey(api.tenant.id, TENANT_SCOPES);
    await api.database.pool.query(
      'update api_keys set revoked_at = now() where id = (select max(id::text)::uuid from api_keys)',
    );
    await refused(() => send(route, { key: revoked }), 'credential_revoked');
  });

  test('refuses keys without its scope', async () => {
    const { api } = world;
    // Who one is, everybody may ask.
    if (route.access.of === 'caller') return;
    const scope: Scope = route.access.of === 'tenant' ? route.access.scope : 'admin';
    const without = await api.newKey(
      api.tenant.id,
      TENANT_SCOPES.filter((each) => each !== scope),
    );
    await refused(() => send(route, { key: without }), 'insufficient_scope');
  });

  test('refuses unknown parameters', async () => {
    const answer = await refused(
      () => send(route, { path: `${pathFor(route, world.ours)}?${requiredQuery(route)}surprise=1` }),
      'invalid_request',
    );
    expect(answer.body.errors).toMatchObject([{ parameter: 'surprise', code: 'unknown_field' }]);
  });
});

describe.each(named(withId))('%s', (_, route) => {
  test('does not find the rows of another tenant', async () => {
    const { theirs } = world;
    await refused(() => send(route, { path: pathFor(route, theirs) }), 'not_found');
  });

  test.each([
    '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
    'x',
    'dlv_',
    '%00',
    '0',
    "'; drop table tenants; --",
    'x'.repeat(2_000),
    'ten_01k9z3e5hbe7r9qk2m4n6p8r0s',
    '%F0%9F%98%80',
  ])('does not find %s', async (id) => {
    await refused(
      () => send(route, { path: route.path.replace('{id}', id.replaceAll(' ', '%20')) }),
      'not_found',
    );
  });
});

describe.each(named(posts))('%s', (_, route) => {
  const raw = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
    send(route, { body, headers: { 'content-type': 'application/json', ...headers } });

  test.each(['{', '{"a":}', '{"secret-word":1,}', "{'a':1}", '\ufeff{}', '{} {}', 'nope'])(
    'refuses the malformed %s',
    async (text) => {
      const answer = await refused(() => raw(text), 'malformed_json');
      expect(answer.text).not.toContain('secret-word');
      expect(answer.body.detail).toMatch(/at character \d+ \(line 1, column \d+\)/);
    },
  );

  test('refuses a body that is no UTF-8', () =>
    refused(() => raw(Buffer.from([0x7b, 0xff, 0x7d])), 'malformed_json'));
  test('refuses a body that nests too deep', () =>
    refused(() => raw(`{"payload":${'['.repeat(300)}${']'.repeat(300)}}`), 'nested_too_deep'));
  test('refuses a body that is too large', () =>
    refused(() => raw(`{"a":"${'x'.repeat(8 * 1024 * 1024)}"}`), 'body_too_large'));
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/jsonp',
    '',
  ])('refuses the media type "%s"', (type) =>
    refused(() => raw('{}', { 'content-type': type }), 'unsupported_media_type'),
  );
  test('refuses a compressed body', () =>
    refused(() => raw(gzipSync('{}'), { 'content-encoding': 'gzip' }), 'unsupported_content_encoding'));
  test.each(['[]', 'null', '1', '"x"', 'true'])('refuses %s in the place of an object', (text) =>
    refused(() => raw(text), 'invalid_request'),
  );

  test('refuses a member that does not exist, and names it', async () => {
    const answer = await refused(
      () => send(route, { body: { ...bodyFor(route, world.ours), 'sur/prise': 1 } }),
      'invalid_request',
    );
    expect(answer.body.errors).toContainEqual({
      pointer: '#/sur~1prise',
      code: 'unknown_field',
      message: 'This member does not exist.',
    });
  });

  test('refuses __proto__ as a member', () =>
    refused(() => raw('{"__proto__":{"polluted":1}}'), 'invalid_request'));
});

describe.each(named(withBody))('%s', (_, route) => {
  test('refuses each of its members with another type, and names it', async () => {
    const body = bodyFor(route, world.ours) ?? {};
    for (const name of Object.keys(body).filter((member) => member !== 'payload'))
      for (const wrong of [{ a: [] }, [[]], 1.5e300, '\0']) {
        const answer = await refused(
          () => send(route, { body: { ...body, [name]: wrong } }),
          'invalid_request',
        ).catch((error) => {
          throw new Error(`${name} = ${JSON.stringify(wrong)}: ${error}`);
        });
        expect(
          answer.body.errors.every(({ pointer }: { pointer: string }) => pointer.startsWith(`#/${name}`)),
        ).toBe(true);
      }
  });

  test('needs a body', async () => {
    if (route.bodyOptional) return;
    await refused(() => send(route, { body: undefined }), 'invalid_request');
  });
});

/** The parameters that a route cannot do without. */
function requiredQuery({ path }: Route): string {
  return path === '/api/v1/search' ? 'q=anything&' : '';
}

const lists = guarded.filter(
  ({ path, method, request }) =>
    method === 'get' && !path.includes('{id}') && request?.query?.shape.cursor !== undefined,
);

test('what is listed is listed in pages, but for what there is one of, and for figures', () => {
  const others = guarded.filter(
    (route) => route.method === 'get' && !route.path.includes('{id}') && !lists.includes(route),
  );
  expect(others.map(({ path }) => path).sort()).toEqual([
    '/api/v1/deliveries/count',
    '/api/v1/failures/groups',
    '/api/v1/me',
    '/api/v1/platform/limits',
    '/api/v1/platform/policy',
    '/api/v1/platform/retention',
    '/api/v1/policy',
    '/api/v1/search',
    '/api/v1/stats/attempts',
    '/api/v1/stats/events',
    '/api/v1/stream',
  ]);
});

describe.each(named(lists))('%s', (_, route) => {
  test.each(['limit=0', 'limit=501', 'limit=x', 'limit=1e2', 'limit=1&limit=2', 'limit='])(
    'refuses %s',
    (query) => refused(() => send(route, { path: `${route.path}?${query}` }), 'invalid_request'),
  );

  test.each([
    '',
    'x',
    'bnVsbA',
    Buffer.from('["x","y"]').toString('base64url'),
    Buffer.from('[1]').toString('base64url'),
    '%00',
    'e30',
  ])('refuses the cursor "%s"', (cursor) =>
    refused(() => send(route, { path: `${route.path}?cursor=${cursor}` }), 'invalid_cursor'),
  );
});

describe('the paths of the API', () => {
  test('that do not exist are not found', async () => {
    for (const path of [
      '/',
      '/api',
      '/api/v1',
      '/api/v1/',
      '/api/v1/endpoints/',
      '/API/v1/endpoints',
      '/api/v2/events',
      '/api/v1/retries/x/y',
    ])
      await refused(() => world.api.call('GET', path), 'route_not_found');
  });

  test('that are not percent-encoded correctly are refused', () =>
    refused(() => world.api.call('GET', '/api/v1/endpoints/%zz'), 'invalid_request'));

  test('name the methods they take', async () => {
    for (const path of new Set(routes.map((route) => route.path))) {
      const methods = routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
      for (const method of ['PUT', 'DELETE', 'PATCH', 'POST', 'OPTIONS'].filter(
        (each) => !methods.includes(each),
      )) {
        const answer = await refused(
          () => world.api.call(method, path.replace('{id}', 'x')),
          'method_not_allowed',
        );
        expect(
          new Set(
            answer.headers
              .get('allow')
              ?.split(', ')
              .filter((each) => each !== 'HEAD'),
          ),
        ).toEqual(new Set(methods));
      }
    }
  });
});

describe('a body that is far too large', () => {
  const megabyte = Buffer.alloc(1024 * 1024, ' ');
  const small = '{"type":"a","payload":1}';

  test.each([
    ['with its length announced', `content-length: ${32 * megabyte.length}`, Array(32).fill(megabyte)],
    [
      'in chunks',
      'transfer-encoding: chunked',
      [
        ...Array(32).fill(Buffer.concat([Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')])),
        '0\r\n\r\n',
      ],
    ],
  ])('is refused %s, and its connection can be used again', async (_, length, parts) => {
    const { api, ours } = world;
    const head = (field: string) =>
      `POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ours.key}\r\ncontent-type: application/json\r\n${field}\r\n\r\n`;
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    try {
      let received = '';
      const statuses = new Promise((resolve) => {
        socket.on('data', (data) => {
          received += data;
          const found = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
          if (found.length === 2) resolve(found);
        });
      });
      for (const part of [head(length), ...parts, head(`content-length: ${small.length}`), small])
        if (!socket.write(part)) await once(socket, 'drain');
      expect(await statuses).toEqual([413, 202]);
    } finally {
      socket.destroy();
    }
  });
});

describe('a body that is still being sent when its call is answered', () => {
  const head = (path: string, fields: string[], length: number) =>
    [`POST ${path} HTTP/1.1`, 'host: x', ...fields, `content-length: ${length}`, '', ''].join('\r\n');
  const json = 'content-type: application/json';

  test.each([
    ['too large', '/api/v1/events', [json], 413],
    ['of another media type', '/api/v1/events', ['content-type: text/plain'], 415],
    ['without a credential', '/api/v1/events', [json, 'authorization: none'], 401],
    ['to a path that does not exist', '/api/v1/nothing', [json], 404],
    ['to a path without such a method', '/healthz', [json], 405],
    ['too large, on the surface of Zen Mesh', '/v1/replays', [json, 'x-tenant-id: acme'], 422],
    ['too large, on the surface of the ledger', '/v2/bridges/b/events/retry', [json], 400],
    ['too large, on the surface of Stedi', '/executions/retry', [json], 400],
  ])(
    '%s is answered, and no pipe is broken, with `Connection: close`, too',
    async (_, path, fields, status) => {
      const { api, ours } = world;
      const stedi = path.startsWith('/executions');
      const credential = `authorization: ${stedi ? '' : 'Bearer '}${ours.key}`;
      const own = fields.some((field) => field.startsWith('authorization')) ? [] : [credential];
      for (const closing of [['connection: close'], []]) {
        const bytes = 32 * 1024 * 1024;
        const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
        let received = '';
        socket.on('data', (data) => {
          received += data;
        });
        const failed = new Promise<string>((resolve) => {
          socket.once('error', ({ message }) => resolve(message));
          socket.once('close', () => resolve('closed'));
        });
        const part = Buffer.alloc(1024 * 1024, ' ');
        let sent = 0;
        try {
          socket.write(head(path, [...own, ...fields, ...closing], bytes));
          for (; sent < bytes; sent += part.length) {
            const how = socket.write(part) ? undefined : await Promise.race([once(socket, 'drain'), failed]);
            if (typeof how === 'string') throw new Error(`${how} after ${sent} bytes of the body`);
          }
          await eventually('it is answered', () => received.includes('\r\n\r\n'));
          expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
          if (closing.length > 0) expect(await failed).toBe('closed');
        } finally {
          socket.destroy();
        }
      }
    },
  );
});

describe('a body of chunks without a byte', () => {
  test.each([
    ['and without a media type', {}],
    ['of JSON', { 'content-type': 'application/json' }],
  ])('%s is none', async (_, type) => {
    const { api, ours } = world;
    const path = `/api/v1/endpoints/${ours.endpointId}/rotate-secret`;
    const headers = { authorization: `Bearer ${ours.key}`, 'transfer-encoding': 'chunked', ...type };
    const statusOf = async (body?: string) => {
      const request = httpRequest(`${api.url}${path}`, { method: 'POST', headers });
      request.end(body);
      const [answer] = await once(request, 'response');
      return answer.resume().statusCode;
    };
    expect(await statusOf()).toBe(200);
    expect(await statusOf('{}')).toBe('content-type' in type ? 200 : 415);
  });
});

describe('a query in percent-encoding', () => {
  test.each(['key=%ff', 'key=a%c3', 'key=%ed%a0%80', 'key=%zz', 'key=100%', '%ff=a', 'key=a&key=%ff'])(
    'that is no UTF-8 is refused, as a body would be: %s',
    async (query) => {
      const answer = await refused(
        () => world.api.call('GET', `/api/v1/deliveries?${query}`),
        'invalid_request',
      );
      const parameter = query.startsWith('key') ? 'key' : '';
      expect(answer.body.errors).toMatchObject([{ parameter, code: 'wrong_format' }]);
    },
  );

  test('that is UTF-8 finds the deliveries that it names', async () => {
    const answer = await world.api.call('GET', '/api/v1/deliveries?key=%C3%A9+%25&limit=1');
    expect(answer).toMatchObject({ status: 200, body: { items: [] } });
    expect((await world.api.call('GET', '/api/v1/deliveries?problem=1')).status).toBe(400);
  });
});

describe('a body that does not end', () => {
  test('is forgotten when its sender goes away', async () => {
    const { api, ours } = world;
    const before = api.log.length;
    const request = httpRequest(`${api.url}/api/v1/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ours.key}`,
        'content-type': 'application/json',
        'content-length': '100',
      },
    });
    request.on('error', () => {});
    await new Promise((resolve) => request.write('{"type":', resolve));
    request.destroy();
    await refused(() => api.call('GET', '/api/v1/nothing'), 'route_not_found');
    expect(api.log.length).toBe(before);
  });
});

/** Stands in while the routes are only being listed. */
function placeholder(): TenantThings {
  return { delivery: {} } as TenantThings;
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { apiRoutes } from '../../src/api/server.ts';
import type { ServedRoute } from '../../src/api/surface.ts';
import { createPool } from '../../src/store/db/pool.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { credentialsFor, rowCounts } from '../support/api/api-world.ts';
import { startTestApi } from '../support/api/test-api.ts';
import { useApiWorld } from '../support/api/use-api.ts';

/** Requests to the five other surfaces from those who mean no good: each answers in its own words, never with a 5xx. */

const world = useApiWorld();
const routes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ surface }) => surface.name !== 'native',
);
const others = SURFACES.filter(({ name }) => name !== 'native');

/** Sends without the check against the document, which knows no errors before a route is found. */
async function send(
  url: string,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** Every form of credential at once: each surface reads its own. */
function credentials(route: ServedRoute): Record<string, string> {
  const { key, headers } = credentialsFor(route, world.api, world.ours);
  return {
    ...headers,
    authorization: route.surface.name === 'stedi' ? key : `Bearer ${key}`,
    'x-api-key': key,
    'x-tenant-id': world.ours.handle,
    'x-ledger': world.ours.handle,
  };
}

/** The path with ids of ours, as each surface spells them. */
function pathOf(route: ServedRoute): string {
  const { ours, api } = world;
  const bare = ['jack-henry', 'stedi'].includes(route.surface.name);
  const id = (shown: string) => (bare ? api.uuid(shown) : shown);
  return route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (/^(tid|institutionId|tenant)/i.test(name)) return id(ours.tenantId);
    if (/^(eid|event)/i.test(name)) return id(ours.delivery.eventId);
    if (/^(did|delivery)/i.test(name)) return id(ours.delivery.deliveryId);
    if (/^(subscription|handle)/i.test(name)) return id(ours.endpointId);
    return id(ours.delivery.executionId);
  });
}

const withBody = routes.filter(({ method }) => method === 'post' || method === 'put' || method === 'patch');

describe.each(others.map((surface) => [surface.name, surface] as const))('%s', (name, surface) => {
  const own = routes.filter((route) => route.surface.name === name);

  test('has routes, all of them below its prefixes and under one tag', () => {
    expect(own.length).toBeGreaterThan(0);
    expect(new Set(own.map(({ tag }) => tag)).size).toBe(1);
    for (const { path } of own)
      expect(surface.prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))).toBe(true);
  });

  test('words an unknown route, and a path that is not encoded correctly', async () => {
    for (const prefix of surface.prefixes)
      for (const path of [`${prefix}/no/such/thing/here`, `${prefix}/%`, `${prefix}/%E0%A4%A`]) {
        const answer = await send(world.api.url, 'POST', path, { body: '{}' });
        expect([path, answer.status < 500, answer.status >= 400]).toEqual([path, true, true]);
        expect(answer.text).not.toContain('redrive.dev');
      }
  });

  test('refuses a caller who shows no credential, or a wrong one, and says nothing of what is inside', async () => {
    for (const route of own.filter(({ access }) => access.of !== 'anyone'))
      for (const headers of [{}, { authorization: 'Bearer rdk_wrong', 'x-api-key': 'rdk_wrong' }]) {
        const answer = await send(world.api.url, route.method.toUpperCase(), pathOf(route), {
          headers: headers as Record<string, string>,
          ...(route.method === 'post' ? { body: '{}' } : {}),
        });
        expect([route.path, answer.status]).toEqual([route.path, 401]);
        expect(answer.text).not.toContain('redrive.dev');
      }
  });

  test('answers Postgres that is away in its own words', async () => {
    const nobody = createPool('postgres://nobody@127.0.0.1:1/nowhere');
    const away = await startTestApi({ pool: nobody });
    try {
      for (const route of own) {
        const answer = await send(away.url, route.method.toUpperCase(), pathOf(route), {
          headers: credentials(route),
          ...(route.method === 'post' ? { body: '{}' } : {}),
        });
        expect([route.path, answer.text.includes('redrive.dev')]).toEqual([route.path, false]);
        expect([route.path, answer.text.includes('nowhere')]).toEqual([route.path, false]);
        if (route.access.of !== 'anyone')
          expect([route.path, answer.status >= 500]).toEqual([route.path, true]);
      }
    } finally {
      await away.close();
      await nobody.end();
    }
  });
});

test.each([
  ['no JSON', '{"a":'],
  ['null', 'null'],
  ['an array', '[]'],
  ['a text', '"x"'],
  ['a number', '1e400'],
  ['a NUL in a name', '{"\\u0000":1}'],
  ['a prototype', '{"__proto__":{"a":1}}'],
  ['nesting without an end', '['.repeat(10_000)],
  ['nine MiB', JSON.stringify('x'.repeat(9 * 1024 * 1024))],
  ['half a character', Buffer.from([0x22, 0xc3, 0x22]).toString('latin1')],
])('a body that is %s is refused by all of them, and changes nothing', async (_, body) => {
  const before = await rowCounts(world.api);
  for (const route of withBody) {
    const answer = await send(world.api.url, 'POST', pathOf(route), { headers: credentials(route), body });
    expect([route.path, answer.status >= 400 && answer.status < 500]).toEqual([route.path, true]);
  }
  expect(await rowCounts(world.api)).toEqual(before);
});

test.each([
  'x',
  '%00',
  '..%2f..',
  '%F0%9F%92%A9',
  'a'.repeat(4_000),
  "'%20or%201=1--",
  '00000000-0000-0000-0000-000000000000',
])('ids such as %s name nothing, and are no 5xx', async (id) => {
  for (const route of routes.filter(({ path }) => path.includes('{'))) {
    const parameters = [...route.path.matchAll(/\{(\w+)\}/g)].map(([whole]) => whole);
    for (const parameter of parameters) {
      const path = pathOf({ ...route, path: route.path.replace(parameter, id) });
      const answer = await send(world.api.url, route.method.toUpperCase(), path, {
        headers: credentials(route),
        ...(route.method === 'post' ? { body: '{}' } : {}),
      });
      expect([route.path, parameter, answer.status < 500]).toEqual([route.path, parameter, true]);
    }
  }
});

test.each(['%ff', 'from=%ff', 'x=%e0%a4', 'status=100%'])(
  'the query %s is refused by all of them',
  async (query) => {
    for (const route of routes) {
      const answer = await send(world.api.url, route.method.toUpperCase(), `${pathOf(route)}?${query}`, {
        headers: credentials(route),
        ...(route.method === 'post' ? { body: '{}' } : {}),
      });
      expect([route.path, answer.status >= 400 && answer.status < 500]).toEqual([route.path, true]);
    }
  },
);

const strange = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('\0', '2024-01-01T00:00:00Z', '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f', '30m', -1, 1e308),
  fc.array(fc.constantFrom('a', '\0', '1001', 1, null), { maxLength: 3 }),
);
const names = [
  ...[
    'delivery_ids',
    'source_id',
    'time_range',
    'since',
    'until',
    'data',
    'hash',
    'meta',
    'maxAge',
    'handle',
  ],
  ...['eventId', 'eventNum', 'dispatchStatus', 'pendingLongerThan', 'fromTime', 'toTime', 'eventSource'],
  ...['dispatchBatchId', 'ingestionBatchId', 'institutionIds', 'bypassSubscriptionFilter'],
  ...['condition', 'executionIds', 'direction', 'faultCode', 'partnershipId', 'status', 'from', 'to'],
  ...['confirmDuplicateRisk', 'target', 'url'],
];

test('no request gets a 5xx, whatever it holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...routes),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), strange, { maxKeys: 4 }),
      fc.dictionary(
        fc.oneof(
          fc.constantFrom('limit', 'cursor', 'pageToken', 'pageSize', 'status', 'from', 'page.limit'),
          fc.string(),
        ),
        fc.oneof(fc.string(), fc.constantFrom('\0', '-1', '1', 'FAILED', 'failed', '2024-01-01T00:00:00Z')),
        { maxKeys: 3 },
      ),
      fc.boolean(),
      async (route, members, query, nested) => {
        const search = route.method === 'get' ? new URLSearchParams(query).toString() : '';
        const body = nested ? { condition: members, data: members } : members;
        const answer = await send(
          world.api.url,
          route.method.toUpperCase(),
          `${pathOf(route)}${search && `?${search}`}`,
          {
            headers: { ...credentials(route), 'idempotency-key': 'a-key' },
            ...(route.method === 'post' ? { body: JSON.stringify(body) } : {}),
          },
        );
        expect(answer.status).toBeLessThan(500);
      },
    ),
    { numRuns: 1_000 },
  );
});

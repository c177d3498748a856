import { expect, test } from '@jest/globals';
import type { ApiDeps } from '../../../src/api/api-deps.ts';
import { apiRoutes } from '../../../src/api/server.ts';
import { TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import { SURFACES } from '../../../src/surfaces/surfaces.ts';
import { bodyFor, pathFor, rowCounts } from '../../support/api/api-world.ts';
import { type SignedIn, signIn } from '../../support/api/console-client.ts';
import { useApiWorld } from '../../support/api/use-api.ts';

/** Each call that writes, by sessions that may not make it, and by pages that may not use the session. */

const world = useApiWorld();
const writes = apiRoutes({ version: 'test' } as ApiDeps, SURFACES).filter(
  ({ surface, method, access }) => surface.name === 'native' && method !== 'get' && access.of !== 'anyone',
);
const named = writes.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const);

/** The session of a key that may do all that a tenant can; of one that may read all of it with `read`. */
async function sessionThatMay(what: 'all' | 'read'): Promise<SignedIn> {
  const { api } = world;
  const scopes = TENANT_SCOPES.filter((scope) => what === 'all' || scope.startsWith('read:'));
  return signIn(api, { credential: await api.newKey(api.tenant.id, scopes) });
}

const request = (route: (typeof writes)[number]) => {
  const body = bodyFor(route, world.ours);
  return [
    route.method.toUpperCase(),
    pathFor(route, world.ours),
    body === undefined ? {} : { body },
  ] as const;
};

test.each(named)('%s needs its scope of a session, too, and the answer names it', async (_, route) => {
  const session = await sessionThatMay('read');
  const before = await rowCounts(world.api);
  const answer = await session.call(...request(route));
  expect(answer).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
  const scope = route.access.of === 'tenant' ? route.access.scope : 'admin';
  expect(answer.body.detail).toContain(scope);
  expect(await rowCounts(world.api)).toEqual(before);
});

test.each(named)('%s takes no session from a page of another origin', async (_, route) => {
  const session = await sessionThatMay('all');
  const before = await rowCounts(world.api);
  const [method, path, asked] = request(route);
  for (const headers of [{ origin: 'http://evil.example' }, { origin: '' }, { 'redrive-console': '' }]) {
    const answer = await session.call(method, path, { ...asked, headers });
    expect(answer).toMatchObject({ status: 403, body: { code: 'cross_origin_refused' } });
  }
  expect(await rowCounts(world.api)).toEqual(before);
});

test('reads are not refused to a session that may only read', async () => {
  const session = await sessionThatMay('read');
  for (const path of ['/api/v1/deliveries', '/api/v1/endpoints', '/api/v1/retries', '/api/v1/audit'])
    expect([path, (await session.call('GET', path)).status]).toEqual([path, 200]);
});

import { beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiDeps } from '../../src/api/api-deps.ts';
import { apiRoutes } from '../../src/api/server.ts';
import { SURFACES } from '../../src/surfaces/surfaces.ts';
import { rowCounts } from '../support/api/api-world.ts';
import { fromConsole, type SignedIn, signIn } from '../support/api/console-client.ts';
import { useApi } from '../support/api/use-api.ts';

/** A session is no credential of any surface but the native one, whatever else a browser sends with it. */

const api = useApi();
const routes = apiRoutes({ version: 'test' } as ApiDeps, SURFACES).filter(
  ({ surface, access }) => surface.name !== 'native' && access.of !== 'anyone',
);
let session: SignedIn;

beforeAll(async () => {
  session = await signIn(api, { credential: api.adminKey });
});

describe.each([...new Set(routes.map(({ surface }) => surface.name))])('%s', (name) => {
  test('does not read a session', async () => {
    const before = await rowCounts(api);
    const own = routes.filter(({ surface }) => surface.name === name);
    expect(own.length).toBeGreaterThan(0);
    for (const { method, path } of own) {
      const answer = await fetch(`${api.url}${path.replace(/\{\w+\}/g, 'acme')}`, {
        method: method.toUpperCase(),
        headers: {
          ...fromConsole(api.url),
          cookie: session.cookie,
          'redrive-tenant': 'acme',
          ...(method === 'post' ? { 'content-type': 'application/json' } : {}),
        },
        ...(method === 'post' ? { body: '{}' } : {}),
      });
      expect([path, answer.status]).toEqual([path, 401]);
    }
    expect(await rowCounts(api)).toEqual(before);
  });
});

test('Minka, whose credentials are in the body, does not read it either', async () => {
  const answer = await fetch(`${api.url}/v2/bridges/acme/events/retry`, {
    method: 'POST',
    headers: {
      ...fromConsole(api.url),
      cookie: session.cookie,
      'x-ledger': 'acme',
      'content-type': 'application/json',
    },
    body: '{}',
  });
  expect(answer.status).toBeGreaterThanOrEqual(400);
});

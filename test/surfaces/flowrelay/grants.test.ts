import { beforeAll, describe, expect, test } from '@jest/globals';
import { apiRoutes } from '../../../src/api/server.ts';
import { GRANT_SCOPES, GRANTS, type Grant } from '../../../src/domain/tenancy/grant.ts';
import { SURFACES } from '../../../src/surfaces/surfaces.ts';
import { bodyFor, pathFor } from '../../support/api/api-world.ts';
import { useApiWorld } from '../../support/api/use-api.ts';
import { seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';

const world = useApiWorld();
const keys = {} as Record<Grant, string>;

beforeAll(async () => {
  for (const grant of GRANTS) {
    const made = await world.api.call('POST', '/api/v1/keys', {
      key: world.api.adminKey,
      body: { tenantId: world.api.tenant.id, name: grant, grant },
    });
    expect(made).toMatchObject({ status: 201, body: { grant, scopes: GRANT_SCOPES[grant] } });
    keys[grant] = made.body.key;
  }
});

/** The lowest grant that each call is open to; none for the others. */
const LOWEST: Record<string, Grant> = {
  'get /api/v1/endpoints': 'observer',
  'get /api/v1/endpoints/{id}': 'observer',
  'get /api/v1/events/{id}': 'observer',
  'get /api/v1/deliveries': 'observer',
  'get /api/v1/deliveries/{id}': 'observer',
  'get /api/v1/executions/{id}': 'observer',
  'get /api/v1/retries': 'observer',
  'get /api/v1/retries/{id}': 'observer',
  'get /api/v1/retries/{id}/items': 'observer',
  'get /api/v1/retries/{id}/items/{deliveryId}/proof': 'observer',
  'get /api/v1/retries/{id}/report/addenda': 'observer',
  'get /api/v1/retries/{id}/report': 'observer',
  'get /api/v1/retries/plans/{id}': 'observer',
  'get /api/v1/retries/plans/{id}/items': 'observer',
  'post /api/v1/endpoints': 'operator',
  'patch /api/v1/endpoints/{id}': 'operator',
  'post /api/v1/endpoints/{id}/enable': 'operator',
  'post /api/v1/endpoints/{id}/disable': 'operator',
  'post /api/v1/events': 'operator',
  'post /api/v1/endpoints/{id}/rotate-secret': 'recovery_operator',
  'post /api/v1/retries/plans': 'recovery_operator',
  'post /api/v1/retries/plans/{id}/execute': 'recovery_operator',
  // Of plans of one's own alone, which is asked behind the body.
  'post /api/v1/retries/{id}/pause': 'recovery_operator',
  'post /api/v1/retries/{id}/resume': 'recovery_operator',
  'post /api/v1/retries/{id}/cancel': 'recovery_operator',
  'post /api/v1/retries/{id}/rate': 'recovery_operator',
  'delete /api/v1/endpoints/{id}': 'admin',
  'get /flowrelay/v1/receipts': 'observer',
  'get /flowrelay/v1/receipts/{id}': 'observer',
  'get /api/v1/me': 'observer',
  'get /api/v1/deliveries/{id}/advice': 'observer',
  // Ids, states, counts and words of the tenant's own: no payload, nor what a receiver answered.
  'get /api/v1/endpoints/{id}/versions': 'observer',
  'get /api/v1/events': 'observer',
  'get /api/v1/deliveries/count': 'observer',
  'get /api/v1/failures/groups': 'observer',
  'get /api/v1/stats/attempts': 'observer',
  'get /api/v1/stats/events': 'observer',
  'get /api/v1/search': 'observer',
  'get /api/v1/retries/{id}/endpoints': 'observer',
  'get /api/v1/retries/{id}/samples': 'observer',
  'get /api/v1/retries/{id}/workflow': 'observer',
  // Its event is a test event of ours, whose payload says nothing.
  'post /api/v1/endpoints/{id}/test': 'operator',
  'get /api/v1/outages': 'observer',
  'get /api/v1/outages/{id}': 'observer',
  'post /api/v1/retries/{id}/explain': 'recovery_operator',
  'get /flowrelay/v1/receipts/{id}/guide': 'observer',
  'get /flowrelay/v1/replays/{id}': 'observer',
  'get /flowrelay/v1/diagnostics/{id}': 'observer',
  'post /flowrelay/v1/receipts/{id}/replay/preview': 'recovery_operator',
  'post /flowrelay/v1/replays/{id}/confirm': 'recovery_operator',
  'post /flowrelay/v1/replays/{id}/execute': 'recovery_operator',
  'post /flowrelay/v1/receipts/{id}/diagnostics/preview': 'recovery_operator',
  'post /flowrelay/v1/diagnostics/{id}/freeze': 'recovery_operator',
};

const routes = apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES).filter(
  ({ access, path }) => access.of !== 'anyone' && !path.endsWith('/stream'),
);

describe.each(GRANTS)('the grant %s', (grant) => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'may call %s as its grant says, and no more',
    async (name, route) => {
      const { api, ours } = world;
      const lowest = LOWEST[name];
      const allowed = lowest !== undefined && GRANTS.indexOf(grant) >= GRANTS.indexOf(lowest);
      const takesBody = route.method === 'post' || route.method === 'put' || route.method === 'patch';
      // A body that no call takes: an allowed call is refused for the body, or not found, and nothing is done.
      const body = name.startsWith('post /api/v1/events') ? { wrong: 1 } : { 'no such member': 1 };
      const answer = await fetch(`${api.url}${pathFor(route, ours)}`, {
        method: route.method.toUpperCase(),
        headers: {
          authorization: `Bearer ${keys[grant]}`,
          ...(takesBody ? { 'content-type': 'application/json' } : {}),
        },
        ...(takesBody ? { body: JSON.stringify(body) } : {}),
      });
      const isOurs = ['native', 'flowrelay'].includes(route.surface.name);
      if (isOurs) expect({ name, refused: answer.status === 403 }).toEqual({ name, refused: !allowed });
      else expect({ name, refused: answer.status >= 400 }).toEqual({ name, refused: true });
      expect(answer.status).toBeLessThan(500);
      expect(bodyFor(route, ours)).not.toBe(null);
    },
  );
});

describe('no grant', () => {
  test.each(GRANTS)('is taken by another surface: %s', async (grant) => {
    const { api, ours } = world;
    const path = `/v1/tenants/${api.tenant.handle}/events/${ours.delivery.eventId}/retry`;
    const ask = (key: string) =>
      fetch(`${api.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: '{}',
      });
    expect((await ask(keys[grant])).status).toBe(403);
  });

  test.each(GRANTS)('makes keys or raises itself: %s', async (grant) => {
    const { api } = world;
    for (const body of [
      { name: 'more', grant: 'admin' },
      { name: 'more', scopes: ['write:keys'] },
      { name: 'same', grant },
    ])
      expect(await api.call('POST', '/api/v1/keys', { key: keys[grant], body })).toMatchObject({
        status: 403,
        body: { code: 'insufficient_scope' },
      });
    expect((await api.call('GET', '/api/v1/keys', { key: keys[grant] })).status).toBe(403);
    expect(
      (await api.call('POST', '/flowrelay/v1/keys', { key: keys[grant], body: { grant: 'admin' } })).status,
    ).toBe(404);
  });

  test.each(GRANTS)(
    'retries or replays past preview and confirmation over the native calls: %s',
    async (grant) => {
      const { api, ours } = world;
      const select = { deliveryIds: [ours.delivery.deliveryId] };
      for (const mode of ['retry', 'replay'])
        expect(
          await api.call('POST', '/api/v1/retries', { key: keys[grant], body: { select, mode } }),
        ).toMatchObject({
          status: 403,
        });
      const settle = { outcome: 'failed', confirm: true };
      const path = `/api/v1/deliveries/${ours.delivery.deliveryId}/resolve`;
      expect((await api.call('POST', path, { key: keys[grant], body: settle })).status).toBe(403);
    },
  );

  test.each(GRANTS)('reads bodies: %s', async (grant) => {
    const { api } = world;
    const [seeded] = await seedFailedDeliveries(api, 1);
    const path = `/api/v1/events/${seeded?.eventId}`;
    expect((await api.call('GET', `${path}?include=payload`, { key: keys[grant] })).status).toBe(403);
    expect((await api.call('GET', path, { key: keys[grant] })).status).toBe(200);
    expect((await api.call('GET', `${path}?include=payload`)).body.payload).toEqual({ n: 0 });
    for (const [shown, of] of [
      [`/api/v1/deliveries/${seeded?.deliveryId}`, (body: { executions: object[] }) => body.executions[0]],
      [`/api/v1/executions/${seeded?.executionId}`, (body: object) => body],
    ] as const) {
      const excerpt = async (key?: string) =>
        (of as (body: object) => { attempts: { responseExcerpt: string | null }[] })(
          (await api.call('GET', shown, key === undefined ? {} : { key })).body,
        ).attempts[0]?.responseExcerpt;
      expect(await excerpt(keys[grant])).toBeNull();
      expect(await excerpt()).toMatch(/^no/);
    }
  });

  test('is given by a key that has less, together with scopes, or unknown', async () => {
    const { api } = world;
    const limited = await api.newKey(api.tenant.id, ['write:keys', 'read:deliveries', 'read:endpoints']);
    const make = (body: object) =>
      api.call('POST', '/api/v1/keys', { key: limited, body: { name: 'k', ...body } });
    expect((await make({ grant: 'observer' })).status).toBe(201);
    expect((await make({ grant: 'operator' })).body.code).toBe('insufficient_scope');
    expect((await make({ grant: 'root' })).body).toMatchObject({ errors: [{ pointer: '#/grant' }] });
    expect((await make({ grant: 'observer', scopes: ['read:endpoints'] })).body).toMatchObject({
      errors: [{ pointer: '#/grant', code: 'exactly_one' }],
    });
    expect((await make({})).body).toMatchObject({ errors: [{ pointer: '#/scopes', code: 'required' }] });
    expect((await make({ scopes: ['replay:receipts'] })).body.code).toBe('invalid_request');
  });
});

test('Admin deletes archived endpoints only: those that are disabled', async () => {
  const { api } = world;
  const made = await api.call('POST', '/api/v1/endpoints', { body: { url: 'https://hooks.example/old' } });
  const path = `/api/v1/endpoints/${made.body.id}`;
  expect(await api.call('DELETE', path, { key: keys.admin })).toMatchObject({
    status: 409,
    body: { code: 'state_conflict' },
  });
  await api.call('POST', `${path}/disable`, { key: keys.admin });
  expect((await api.call('DELETE', path, { key: keys.recovery_operator })).status).toBe(403);
  expect((await api.call('DELETE', path, { key: keys.admin })).status).toBe(204);
  expect((await api.call('DELETE', path, { key: keys.admin })).status).toBe(204);
});

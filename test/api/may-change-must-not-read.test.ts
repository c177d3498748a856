import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Grant } from '../../src/domain/tenancy/grant.ts';
import type { Scope } from '../../src/domain/tenancy/scope.ts';
import { endpointHeadersContext } from '../../src/sealing/sealing-contexts.ts';
import type { TestAnswer } from '../support/api/test-api.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { newTestSigner, registrationOf } from '../support/surfaces/minka-client.ts';

/**
 * Each change that a credential may make, with the data that it must not read by it. Where deliveries go after a change
 * is shown in `engine/new-origin`.
 */

const SEALED = 'canary-sealed-header';
const SECRET = `whsec_${Buffer.from('canary-signing-secret-of-32-bytes').toString('base64')}`;
const ISSUER_SECRET = 'canary-issuer-secret-of-32-bytes-or-more';

const api = useApi();
const keys = {} as Record<Grant | 'writer', string>;

beforeAll(async () => {
  for (const grant of ['operator', 'recovery_operator', 'admin'] as const)
    keys[grant] = (
      await api.call('POST', '/api/v1/keys', {
        key: api.adminKey,
        body: { tenantId: api.tenant.id, name: grant, grant },
      })
    ).body.key;
  keys.writer = await api.newKey(api.tenant.id, ['write:endpoints']);
});

async function endpoint(change: object = {}): Promise<{ id: string; path: string }> {
  const { body } = await api.call('POST', '/api/v1/endpoints', {
    body: { url: 'https://old.example/in?a=1', secret: SECRET, headers: { 'x-api-key': SEALED }, ...change },
  });
  return { id: body.id, path: `/api/v1/endpoints/${body.id}` };
}

/** The headers that go to where an endpoint is now, opened. */
async function sentHeaders(id: string): Promise<{ url: string; headers: Record<string, string> }> {
  const { rows } = await api.database.pool.query(
    `select v.url, v.sealed_headers as sealed from endpoints e
     join endpoint_versions v on v.endpoint_id = e.id and v.version = e.current_version where e.id = $1`,
    [api.uuid(id)],
  );
  const { url, sealed } = rows[0];
  const context = endpointHeadersContext(api.uuid(id));
  return { url, headers: sealed ? JSON.parse(api.sealer.open(sealed, context).toString('utf8')) : {} };
}

function expectRefusedAtHeaders(answer: TestAnswer): void {
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ pointer: '#/headers', code: 'required' }] },
  });
}

describe.each(['operator', 'recovery_operator', 'admin'] as const)('the grant %s', (grant) => {
  test.each([
    ['another host', { url: 'https://new.example/in' }],
    ['another port', { url: 'https://old.example:8443/in' }],
    ['another scheme', { url: 'http://old.example/in' }],
    ['another host, with a preset', { url: 'https://new.example/in', preset: 'zen-mesh' }],
    [
      'a status request elsewhere',
      { probe: { urlTemplate: 'https://new.example/{deliveryId}', processedField: 'done' } },
    ],
    [
      'a status request elsewhere, that is asked',
      {
        onAmbiguous: 'probe',
        probe: { urlTemplate: 'https://old.example:1/{deliveryId}', processedField: 'done' },
      },
    ],
    [
      'a host that is its status request’s, and a status request elsewhere',
      {
        url: 'https://probed.example/in',
        probe: { urlTemplate: 'https://new.example/{deliveryId}', processedField: 'done' },
      },
    ],
  ])('may change where an endpoint is, and must not read its headers there: %s', async (_, change) => {
    const { id, path } = await endpoint({
      probe: { urlTemplate: 'https://probed.example/{deliveryId}', processedField: 'done' },
    });
    const before = await sentHeaders(id);
    expectRefusedAtHeaders(await api.call('PATCH', path, { key: keys[grant], body: change }));
    expect(await sentHeaders(id)).toEqual(before);
    for (const headers of [{ 'x-api-key': 'a new one' }, {}, null]) {
      const again = await endpoint();
      const answer = await api.call('PATCH', again.path, { key: keys[grant], body: { ...change, headers } });
      expect(answer.status).toBe(200);
      expect((await sentHeaders(again.id)).headers).toEqual(headers ?? {});
    }
  });

  test('may change everything else of it, also where there are no headers, and where it stays', async () => {
    const { id, path } = await endpoint();
    const patch = (body: object, at = path) => api.call('PATCH', at, { key: keys[grant], body });
    for (const body of [
      { url: 'https://old.example/another?b=2' },
      { timeoutMs: 1_000, ratePerSecond: 5 },
      { preset: 'flowrelay' },
      { eventTypes: ['a'], filter: { a: 1 } },
      { probe: { urlTemplate: 'https://old.example/{deliveryId}', processedField: 'done' } },
    ]) {
      const answer = await patch(body);
      expect(answer.status).toBe(200);
      for (const canary of [SEALED, SECRET]) expect(answer.text).not.toContain(canary);
    }
    expect((await sentHeaders(id)).headers).toEqual({ 'x-api-key': SEALED });
    const bare = await endpoint({ headers: null });
    expect((await patch({ url: 'https://new.example/in' }, bare.path)).status).toBe(200);
  });
});

test('a credential with write:endpoints moves an endpoint with its headers', async () => {
  for (const key of [keys.writer, api.key]) {
    const { id, path } = await endpoint();
    expect((await api.call('PATCH', path, { key, body: { url: 'https://new.example/in' } })).status).toBe(
      200,
    );
    expect(await sentHeaders(id)).toEqual({
      url: 'https://new.example/in',
      headers: { 'x-api-key': SEALED },
    });
  }
});

test('a credential that may rotate a secret must not read the one before', async () => {
  const { path } = await endpoint();
  for (const body of [
    undefined,
    { oldValidForMs: 0 },
    { secret: `whsec_${Buffer.alloc(32, 9).toString('base64')}` },
  ]) {
    const answer = await api.call('POST', `${path}/rotate-secret`, {
      key: keys.recovery_operator,
      ...(body ? { body } : {}),
    });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain(SECRET);
  }
});

test('a credential that may delete an endpoint and make it again must not read its secret, nor its headers', async () => {
  const { path } = await endpoint({ handle: 'made-again' });
  await api.call('POST', `${path}/disable`, { key: keys.admin });
  expect((await api.call('DELETE', path, { key: keys.admin })).status).toBe(204);
  const again = await api.call('POST', '/api/v1/endpoints', {
    key: keys.admin,
    body: { handle: 'made-again', url: 'https://new.example/in' },
  });
  expect(again).toMatchObject({ status: 201, body: { headerNames: [] } });
  expect(again.body.secret).not.toBe(SECRET);
});

test('a credential that may set up endpoints and send events must not read payloads, nor the answers of receivers', async () => {
  const [seeded] = await seedFailedDeliveries(api, 1);
  const payload = `/api/v1/events/${seeded?.eventId}?include=payload`;
  expect((await api.call('GET', payload, { key: keys.operator })).body.code).toBe('insufficient_scope');
  const shown = await api.call('GET', `/api/v1/executions/${seeded?.executionId}`, { key: keys.operator });
  expect(shown.body.attempts[0].responseExcerpt).toBeNull();
});

describe('a credential that may make and revoke credentials', () => {
  const scopes: Scope[] = ['write:keys'];

  test('must not read those of others, nor get more than it has', async () => {
    const limited = await api.newKey(api.tenant.id, scopes);
    const made = await api.call('POST', '/api/v1/keys', {
      body: { name: 'theirs', scopes: ['read:endpoints'] },
    });
    const listed = await api.call('GET', '/api/v1/keys', { key: limited });
    expect(listed.body.items.length).toBeGreaterThan(0);
    expect(listed.text).not.toContain(made.body.key);
    for (const body of [
      { name: 'more', scopes: ['read:deliveries'] },
      { name: 'more', grant: 'observer' },
    ])
      expect((await api.call('POST', '/api/v1/keys', { key: limited, body })).body.code).toBe(
        'insufficient_scope',
      );
  });

  test('must not give a signer what it lacks: neither by a rule, nor by a signer that rules are waiting for', async () => {
    const { tenant, key } = await api.newTenant();
    const limited = await api.newKey(tenant.id, scopes);
    const rule = (body: object, by = limited) =>
      api.call('POST', '/api/v1/access-rules', { key: by, body: { signer: 'thief', ...body } });
    const signer = (handle: string, by = limited) =>
      api.call('POST', '/api/v1/signers', {
        key: by,
        body: registrationOf(newTestSigner(handle), tenant.handle),
      });
    const REFUSED = { status: 403, body: { code: 'insufficient_scope' } };
    // A signer of which no rule knows may do nothing yet.
    expect((await signer('thief')).status).toBe(201);
    for (const action of ['any', 'retry-event', 'query-event', 'read', { $in: ['read', 'query-event'] }])
      expect(await rule({ action })).toMatchObject(REFUSED);
    const reader = await api.newKey(tenant.id, [...scopes, 'read:deliveries']);
    expect((await rule({ action: 'query-event' }, reader)).status).toBe(201);
    expect(await rule({ action: 'retry-event' }, reader)).toMatchObject({
      ...REFUSED,
      body: { detail: expect.stringContaining('`write:deliveries`') },
    });
    // Whoever may do all of it makes a rule for a signer that is still to come.
    expect((await rule({ action: 'any', signer: 'mint', bearer: 'clerk' }, key)).status).toBe(201);
    for (const handle of ['mint', 'clerk']) {
      expect(await signer(handle)).toMatchObject(REFUSED);
      expect(await signer(handle, reader)).toMatchObject(REFUSED);
      expect((await signer(handle, key)).status).toBe(201);
    }
    expect((await signer('another')).status).toBe(201);
    for (const open of [
      { action: 'read', signer: undefined },
      { action: 'read', signer: 'any' },
    ]) {
      const made = await rule(open, key);
      expect(made.status).toBe(201);
      expect(await signer('one-more')).toMatchObject(REFUSED);
      expect((await api.call('DELETE', `/api/v1/access-rules/${made.body.id}`, { key })).status).toBe(204);
    }
    expect((await signer('one-more')).status).toBe(201);
  });

  test('must not read the secret of an issuer, nor take its tokens over with more than it has', async () => {
    const limited = await api.newKey(api.tenant.id, scopes);
    const members = { name: 'idp', issuer: 'https://id.example/', audience: 'canary', algorithm: 'HS256' };
    const made = await api.call('POST', '/api/v1/jwt-issuers', {
      body: { ...members, secret: ISSUER_SECRET, scopes: ['read:endpoints'] },
    });
    expect(made.status).toBe(201);
    const path = `/api/v1/jwt-issuers/${made.body.id}`;
    const answers = [
      made,
      await api.call('GET', '/api/v1/jwt-issuers', { key: limited }),
      await api.call('DELETE', path, { key: limited }),
      await api.call('POST', '/api/v1/jwt-issuers', { key: limited, body: { ...members, scopes } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 204, 201]);
    for (const { text } of answers) expect(text).not.toContain(ISSUER_SECRET);
    expect(
      (
        await api.call('POST', '/api/v1/jwt-issuers', {
          key: limited,
          body: { ...members, audience: 'more', scopes: ['read:endpoints'] },
        })
      ).body.code,
    ).toBe('insufficient_scope');
  });
});

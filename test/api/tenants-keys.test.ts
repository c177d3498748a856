import { describe, expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';

const api = useApi();

describe('a tenant', () => {
  test('is made, shown by id and handle, changed and listed by the admin', async () => {
    const key = api.adminKey;
    const made = await api.call('POST', '/api/v1/tenants', {
      key,
      body: { handle: 'globex', name: 'Globex', plan: 'pro' },
    });
    expect(made).toMatchObject({ status: 201, body: { handle: 'globex', name: 'Globex', plan: 'pro' } });
    for (const reference of [made.body.id, 'globex', api.uuid(made.body.id)])
      expect((await api.call('GET', `/api/v1/tenants/${reference}`, { key })).body).toEqual(made.body);
    const changed = await api.call('PATCH', '/api/v1/tenants/globex', { key, body: { name: null } });
    expect(changed.body).toMatchObject({ name: null, plan: 'pro' });
    expect((await api.call('POST', '/api/v1/tenants', { key, body: { handle: 'globex' } })).body.code).toBe(
      'handle_taken',
    );
    const handles: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { body: { items: { handle: string }[]; nextCursor: string | null } } = await api.call(
        'GET',
        `/api/v1/tenants?limit=1${cursor && `&cursor=${cursor}`}`,
        { key },
      );
      handles.push(...page.body.items.map(({ handle }) => handle));
      cursor = page.body.nextCursor;
    }
    expect(handles).toEqual(['acme', 'globex']);
  });

  test('is none of the business of its own keys', async () => {
    expect(await api.call('GET', '/api/v1/tenants')).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope' },
    });
  });

  test.each(['Upper', '-x', '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f', 'ten_01k9z3e5hbe7r9qk2m4n6p8r0s', ''])(
    'cannot be called %s',
    async (handle) => {
      const refused = await api.call('POST', '/api/v1/tenants', { key: api.adminKey, body: { handle } });
      expect(refused.body).toMatchObject({
        code: 'invalid_request',
        errors: [{ pointer: '#/handle', code: 'wrong_format' }],
      });
    },
  );
});

describe('an API key', () => {
  test('is shown once, does what its scopes say, and nothing once it is revoked', async () => {
    const body = { name: 'reader', scopes: ['read:endpoints'], expiresAt: '2126-01-01T00:00:00Z' };
    const made = await api.call('POST', '/api/v1/keys', { body });
    expect(made.body).toMatchObject({
      name: 'reader',
      scopes: ['read:endpoints'],
      expiresAt: '2126-01-01T00:00:00.000Z',
    });
    expect(made.body.key).toMatch(/^rdk_[\w-]{43}$/);
    const key = made.body.key;
    expect((await api.call('GET', '/api/v1/endpoints', { key })).status).toBe(200);
    expect(
      (await api.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: 1 } })).body.code,
    ).toBe('insufficient_scope');
    const listed = await api.call('GET', '/api/v1/keys');
    expect(listed.text).not.toContain(key);
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toContain(made.body.id);
    expect((await api.call('DELETE', `/api/v1/keys/${made.body.id}`)).status).toBe(204);
    expect((await api.call('GET', '/api/v1/endpoints', { key })).body.code).toBe('credential_revoked');
    expect((await api.call('DELETE', `/api/v1/keys/${made.body.id}`)).status).toBe(204);
    const { rows } = await api.database.pool.query(
      `select count(*) as found from api_keys where position($1 in api_keys::text) > 0`,
      [key],
    );
    expect(rows[0].found).toBe(0);
  });

  test('is made by the admin for a tenant that it names in the body or in the header', async () => {
    const key = api.adminKey;
    const body = { name: 'k', scopes: ['write:events'] };
    expect((await api.call('POST', '/api/v1/keys', { key, body })).body.code).toBe('tenant_required');
    expect(
      (await api.call('POST', '/api/v1/keys', { key, body: { ...body, tenantId: 'acme' } })).status,
    ).toBe(201);
    expect(
      (await api.call('POST', '/api/v1/keys', { key, body, headers: { 'redrive-tenant': 'acme' } })).status,
    ).toBe(201);
    expect(
      (await api.call('POST', '/api/v1/keys', { key, body: { ...body, tenantId: 'nobody' } })).status,
    ).toBe(404);
  });

  test('cannot grant what it does not have, nor keys of another tenant', async () => {
    const limited = await api.newKey(api.tenant.id, ['write:keys', 'write:events']);
    const make = (body: object) =>
      api.call('POST', '/api/v1/keys', { key: limited, body: { name: 'k', ...body } });
    expect((await make({ scopes: ['write:events'] })).status).toBe(201);
    expect((await make({ scopes: ['write:deliveries'] })).body.code).toBe('insufficient_scope');
    expect((await make({ scopes: ['admin'] })).body.code).toBe('invalid_request');
    const other = await api.newTenant();
    expect((await make({ scopes: ['write:events'], tenantId: other.tenant.handle })).status).toBe(404);
    const listed = await api.call('GET', '/api/v1/keys', { key: other.key });
    expect(await api.call('DELETE', `/api/v1/keys/${listed.body.items[0].id}`)).toMatchObject({
      status: 404,
    });
    expect((await api.call('GET', '/api/v1/endpoints', { key: other.key })).status).toBe(200);
  });

  test('is not made when it would have expired already', async () => {
    const body = { name: 'k', scopes: ['write:events'], expiresAt: '2020-01-01T00:00:00Z' };
    expect((await api.call('POST', '/api/v1/keys', { body })).body).toMatchObject({
      errors: [{ pointer: '#/expiresAt' }],
    });
  });
});

describe('the tenant of a call', () => {
  test('is named by the admin by handle or id', async () => {
    const call = (tenant?: string) =>
      api.call('GET', '/api/v1/endpoints', {
        key: api.adminKey,
        headers: tenant === undefined ? {} : { 'redrive-tenant': tenant },
      });
    expect((await call()).body.code).toBe('tenant_required');
    expect((await call('acme')).status).toBe(200);
    expect((await call(api.tenant.id)).status).toBe(200);
    expect((await call('nobody')).body.code).toBe('not_found');
  });

  test('is the key’s own, whatever the header says', async () => {
    const { tenant } = await api.newTenant();
    const call = (named: string) =>
      api.call('GET', '/api/v1/endpoints', { headers: { 'redrive-tenant': named } });
    expect((await call('acme')).status).toBe(200);
    expect((await call(tenant.handle)).status).toBe(404);
  });
});

describe('a credential', () => {
  test.each([
    [undefined, 'credential_missing'],
    ['', 'credential_missing'],
    ['rdk_nobody', 'credential_invalid'],
  ])('%s is refused as %s', async (key, code) => {
    const refused = await api.call('GET', '/api/v1/endpoints', { key });
    expect(refused).toMatchObject({ status: 401, body: { code } });
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test('that has expired is refused', async () => {
    const key = await api.newKey(api.tenant.id, ['read:endpoints'], new Date(Date.now() - 1_000));
    expect((await api.call('GET', '/api/v1/endpoints', { key })).body.code).toBe('credential_expired');
  });

  test('of another kind is refused', async () => {
    const refused = await api.call('GET', '/api/v1/endpoints', {
      key: undefined,
      headers: { authorization: 'Basic YTpi' },
    });
    expect(refused.body.code).toBe('credential_missing');
  });
});

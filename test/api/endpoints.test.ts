import { describe, expect, test } from '@jest/globals';
import { endpointHeadersContext, endpointSecretContext } from '../../src/sealing/sealing-contexts.ts';
import { useApi } from '../support/api/use-api.ts';

const api = useApi();

const url = 'https://hooks.example/in';
const make = (body: object) => api.call('POST', '/api/v1/endpoints', { body });

describe('an endpoint', () => {
  test('is made with defaults, and shows its secret once', async () => {
    const made = await make({ url, handle: 'billing' });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe(`/api/v1/endpoints/${made.body.id}`);
    expect(made.body).toMatchObject({
      handle: 'billing',
      state: 'enabled',
      version: 1,
      url,
      eventTypes: null,
      filter: null,
      timeoutMs: 20_000,
      retry: { maxAttempts: 8, initialMs: 5_000, factor: 4, capMs: 3_600_000 },
      giveUpAfterMs: 86_400_000,
      onAmbiguous: 'resend',
      ratePerSecond: null,
      headerNames: [],
    });
    expect(made.body.secret).toMatch(/^whsec_/);
    const shown = await api.call('GET', `/api/v1/endpoints/${made.body.id}`);
    expect(shown.text).not.toContain('whsec_');
    expect(await api.call('GET', `/api/v1/endpoints/${api.uuid(made.body.id)}`)).toMatchObject({
      body: shown.body,
    });
  });

  test('keeps secret and headers sealed, and shows names of headers only', async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const made = await make({
      url,
      secret,
      headers: { 'X-Api-Key': 'hunter2-value', authorization: 'Basic abc' },
    });
    expect(made.body).toMatchObject({ secret, headerNames: ['X-Api-Key', 'authorization'] });
    expect(made.text).not.toContain('hunter2');
    const id = api.uuid(made.body.id);
    const { rows } = await api.database.pool.query(
      `select s.sealed, v.sealed_headers from endpoint_secrets s
       join endpoint_versions v using (endpoint_id) where endpoint_id = $1`,
      [id],
    );
    expect(rows[0].sealed.toString('latin1')).not.toContain('whsec_');
    expect(api.sealer.open(rows[0].sealed, endpointSecretContext(id)).toString()).toBe(secret);
    expect(
      JSON.parse(api.sealer.open(rows[0].sealed_headers, endpointHeadersContext(id)).toString()),
    ).toEqual({
      'X-Api-Key': 'hunter2-value',
      authorization: 'Basic abc',
    });
  });

  test('changes by making the next version, and keeps what is not named', async () => {
    const { body: made } = await make({
      url,
      ratePerSecond: 5,
      filter: { a: 1 },
      headers: { 'x-a': 'b' },
      retry: { maxAttempts: 3 },
    });
    const path = `/api/v1/endpoints/${made.id}`;
    const changed = await api.call('PATCH', path, { body: { timeoutMs: 1_000, retry: { factor: 2 } } });
    expect(changed.body).toMatchObject({
      version: 2,
      url,
      ratePerSecond: 5,
      filter: { a: 1 },
      headerNames: ['x-a'],
      timeoutMs: 1_000,
      retry: { maxAttempts: 3, factor: 2, initialMs: 5_000 },
    });
    const cleared = await api.call('PATCH', path, {
      body: { ratePerSecond: null, filter: null, headers: null },
    });
    expect(cleared.body).toMatchObject({ version: 3, ratePerSecond: null, filter: null, headerNames: [] });
    const { rows } = await api.database.pool.query(
      'select version, timeout_ms, rate_per_second from endpoint_versions where endpoint_id = $1 order by version',
      [api.uuid(made.id)],
    );
    expect(rows).toEqual([
      { version: 1, timeout_ms: 20_000, rate_per_second: 5 },
      { version: 2, timeout_ms: 1_000, rate_per_second: 5 },
      { version: 3, timeout_ms: 1_000, rate_per_second: null },
    ]);
  });

  test('takes concurrent changes one after another', async () => {
    const { body: made } = await make({ url });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        api.call('PATCH', `/api/v1/endpoints/${made.id}`, { body: { timeoutMs: 1_000 + n } }),
      ),
    );
    expect(answers.map(({ body }) => body.version).sort()).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('is disabled, enabled and deleted, and its handle is free again', async () => {
    const { body: made } = await make({ url, handle: 'passing' });
    const path = `/api/v1/endpoints/${made.id}`;
    expect((await api.call('POST', `${path}/disable`)).body).toMatchObject({
      state: 'disabled',
      disabledReason: 'operator',
    });
    expect((await api.call('POST', `${path}/disable`)).body).toMatchObject({ state: 'disabled' });
    expect((await api.call('POST', `${path}/enable`)).body).toMatchObject({
      state: 'enabled',
      disabledReason: null,
    });
    expect((await make({ url, handle: 'passing' })).body).toMatchObject({
      code: 'handle_taken',
      status: 409,
    });
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await api.call('GET', path)).body).toMatchObject({ state: 'deleted' });
    for (const call of [
      api.call('PATCH', path, { body: { timeoutMs: 500 } }),
      api.call('POST', `${path}/enable`),
      api.call('POST', `${path}/rotate-secret`),
    ])
      expect((await call).body).toMatchObject({ code: 'state_conflict', status: 409 });
    expect((await make({ url, handle: 'passing' })).status).toBe(201);
  });

  test('rotates its secret and keeps the old one for a day', async () => {
    const { body: made } = await make({ url });
    const rotated = await api.call('POST', `/api/v1/endpoints/${made.id}/rotate-secret`);
    expect(rotated.body.secret).toMatch(/^whsec_/);
    expect(rotated.body.secret).not.toBe(made.secret);
    const left = Date.parse(rotated.body.previousValidUntil) - Date.now();
    expect(left).toBeGreaterThan(86_000_000);
    const urgent = await api.call('POST', `/api/v1/endpoints/${made.id}/rotate-secret`, {
      body: { oldValidForMs: 0 },
    });
    const { rows } = await api.database.pool.query(
      'select count(*) as valid from endpoint_secrets where endpoint_id = $1 and (expires_at is null or expires_at > now())',
      [api.uuid(made.id)],
    );
    expect(rows[0].valid).toBe(1);
    expect(Date.parse(urgent.body.previousValidUntil)).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  test('is listed page by page, without those that are deleted', async () => {
    const { key } = await api.newTenant();
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1)
      ids.push((await api.call('POST', '/api/v1/endpoints', { key, body: { url } })).body.id);
    await api.call('DELETE', `/api/v1/endpoints/${ids[2]}`, { key });
    const first = await api.call('GET', '/api/v1/endpoints?limit=2', { key });
    const second = await api.call('GET', `/api/v1/endpoints?limit=2&cursor=${first.body.nextCursor}`, {
      key,
    });
    expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual([
      ids[0],
      ids[1],
      ids[3],
      ids[4],
    ]);
    expect(second.body.nextCursor).toBeNull();
  });

  test.each([
    ['http://127.0.0.1/', 'address_blocked'],
    ['http://2130706433/', 'address_blocked'],
    ['http://0x7f.1/', 'address_blocked'],
    ['http://[::ffff:127.0.0.1]/', 'address_blocked'],
    ['http://169.254.169.254/latest/meta-data', 'address_blocked'],
    ['http://10.1.2.3:8080/', 'address_blocked'],
    ['http://localhost/', 'address_blocked'],
    ['ftp://hooks.example/', 'url_scheme'],
    ['https://user:secret-word@hooks.example/', 'url_userinfo'],
    ['not a url', 'url_invalid'],
  ])('is refused at %s (%s)', async (bad, code) => {
    const refused = await make({ url: bad });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'endpoint_url_refused', errors: [{ pointer: '#/url', code }] },
    });
    expect(refused.text).not.toContain('secret-word');
    const { body: made } = await make({ url });
    const patched = await api.call('PATCH', `/api/v1/endpoints/${made.id}`, { body: { url: bad } });
    expect(patched).toMatchObject({ status: 400, body: { code: 'endpoint_url_refused' } });
    expect((await api.call('GET', `/api/v1/endpoints/${made.id}`)).body.version).toBe(1);
  });

  test.each([
    [{ 'webhook-id': 'x' }, 'not_allowed'],
    [{ Host: 'x' }, 'not_allowed'],
    [{ 'content-length': '1' }, 'not_allowed'],
    [{ 'redrive-attempt': '1' }, 'not_allowed'],
    [{ 'x a': '1' }, 'wrong_format'],
    [{ 'x-a': 'a\r\nb: c' }, 'wrong_format'],
    [{ 'x-a': 'ü' }, 'wrong_format'],
    [{ 'x-a': 1 }, 'wrong_type'],
    [{ 'x-a': '1', 'X-A': '2' }, 'duplicate'],
    [JSON.parse('{"__proto__":1}'), 'wrong_type'],
  ])('refuses the headers %j', async (headers, code) => {
    const refused = await make({ url, headers });
    expect(refused.body).toMatchObject({ code: 'invalid_request', errors: [{ code }] });
    expect(refused.body.errors[0].pointer).toMatch(/^#\/headers/);
  });

  test('keeps whether its events are ordered, and whether one that failed for good blocks those behind it', async () => {
    const made = await make({ url, ordered: true, onExhausted: 'skip' });
    expect(made.body).toMatchObject({ ordered: true, onExhausted: 'skip' });
    const refused = await make({ url, onExhausted: 'wait' });
    expect(refused.body.errors).toMatchObject([{ pointer: '#/onExhausted', code: 'not_allowed' }]);
  });

  test('is told of traces where it says so, and not before', async () => {
    const made = await make({ url });
    expect(made.body.traceparent).toBe(false);
    const path = `/api/v1/endpoints/${made.body.id}`;
    const changed = await api.call('PATCH', path, { body: { traceparent: true } });
    expect(changed.body).toMatchObject({ traceparent: true, version: 2 });
    const kept = await api.call('PATCH', path, { body: { timeoutMs: 5_000 } });
    expect(kept.body).toMatchObject({ traceparent: true, version: 3 });
    const refused = await make({ url, traceparent: 'yes' });
    expect(refused.body.errors).toMatchObject([{ pointer: '#/traceparent', code: 'wrong_type' }]);
  });

  test('refuses a preset that there is not, naming those that there are', async () => {
    const refused = await api.call('POST', '/api/v1/endpoints', { body: { url, preset: 'nobody' } });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/preset', message: expect.stringMatching(/zen-mesh.*minka/) }] },
    });
  });

  test('takes the policy of a preset, and members that are given win over it', async () => {
    const made = await make({ url, preset: 'minka', retry: { maxAttempts: 3 } });
    expect(made.body).toMatchObject({
      preset: 'minka',
      retry: { maxAttempts: 3, initialMs: 1_000, factor: 1.2, capMs: 3_600_000 },
      onAmbiguous: 'resend',
    });
    const changed = await api.call('PATCH', `/api/v1/endpoints/${made.body.id}`, {
      body: { preset: 'flowrelay' },
    });
    expect(changed.body).toMatchObject({
      preset: 'flowrelay',
      onAmbiguous: 'hold',
      retry: { maxAttempts: 3 },
    });
  });

  test('keeps the settings that a file for a partner is prepared with', async () => {
    const partner = { direction: 'OUTBOUND', senderProfile: 'acme', guides: ['invoice.*'], keyPath: 'id' };
    const made = await make({ url, partner });
    expect(made.body.partner).toEqual(partner);
    const refused = await make({ url, partner: { direction: 'UP' } });
    expect(refused.body.errors).toMatchObject([{ pointer: '#/partner/direction', code: 'not_allowed' }]);
  });

  test('refuses handles that look like ids', async () => {
    for (const handle of [
      '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
      'end_01k9z3e5hbe7r9qk2m4n6p8r0s',
      'a b',
      '',
    ])
      expect((await make({ url, handle })).body).toMatchObject({
        errors: [{ pointer: '#/handle', code: 'wrong_format' }],
      });
  });
});

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { createAddressGuard } from '../../src/outbound/address-guard.ts';
import { createKeySets } from '../../src/outbound/key-sets.ts';
import { startTestApi } from '../support/api/test-api.ts';
import { useApi } from '../support/api/use-api.ts';
import { eventually } from '../support/eventually.ts';

const ISSUER = 'https://id.acme.example/';
const SECRET = 'a-secret-of-at-least-thirty-two-bytes';
const COOLDOWN_MS = 300;

type Signer = (claims?: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>;
type Pair = { privateKey: CryptoKey; jwk: JWK };

const api = useApi(() => {
  const guard = createAddressGuard(['127.0.0.1/32']);
  const keySets = createKeySets(guard, {
    times: { timeoutMs: 1_000, cooldownMs: COOLDOWN_MS, keepMs: 60_000 },
  });
  return { guard, keySets };
});
let published: { server: Server; url: string; keys: unknown; asked: number; answer?: () => string };
let audiences = 0;

beforeAll(async () => {
  published = await publishKeys();
});
afterAll(async () => {
  await new Promise((resolve) => published.server.close(resolve));
});

async function publishKeys(): Promise<typeof published> {
  const server = createServer((_, res) => {
    published.asked += 1;
    res.setHeader('content-type', 'application/json');
    res.end(published.answer?.() ?? JSON.stringify({ keys: published.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    keys: [],
    asked: 0,
  };
}

async function keyPair(algorithm: 'EdDSA' | 'RS256', kid?: string): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), ...(kid === undefined ? {} : { kid }) } };
}

function signer(algorithm: string, key: CryptoKey | Uint8Array, audience: string): Signer {
  return (claims = {}, header = {}) => {
    const now = Math.floor(Date.now() / 1_000);
    const payload = { iss: ISSUER, aud: audience, sub: 'alice', exp: now + 300, ...claims };
    return new SignJWT(JSON.parse(JSON.stringify(payload)))
      .setProtectedHeader({ alg: algorithm, ...header })
      .sign(key);
  };
}

/** Registers an issuer of the tenant with an audience of its own; `members` say how it signs. */
async function register(members: Record<string, unknown>, key = api.key) {
  audiences += 1;
  const audience = `redrive-${audiences}`;
  const answer = await api.call('POST', '/api/v1/jwt-issuers', {
    key,
    body: {
      name: 'idp',
      issuer: ISSUER,
      audience,
      scopes: ['read:endpoints', 'read:deliveries'],
      ...members,
    },
  });
  return { audience, answer, id: answer.body?.id as string };
}

async function registerSecret(members: Record<string, unknown> = {}, key = api.key) {
  const made = await register({ algorithm: 'HS256', secret: SECRET, ...members }, key);
  return { ...made, sign: signer('HS256', Buffer.from(SECRET), made.audience) };
}

const OURS = { 'redrive-tenant': 'acme' };
const endpoints = (token: string, headers: Record<string, string> = OURS) =>
  api.call('GET', '/api/v1/endpoints', { key: token, headers });

async function expectRefused(token: string, code = 'credential_invalid'): Promise<void> {
  const answer = await endpoints(token);
  expect(answer).toMatchObject({ status: 401, body: { code } });
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
}

describe('a token', () => {
  test('signed with HS256 is a credential of the tenant', async () => {
    const { sign, answer } = await registerSecret();
    expect(answer).toMatchObject({ status: 201, body: { algorithm: 'HS256', jwks: null, jwksUrl: null } });
    expect((await endpoints(await sign())).status).toBe(200);
  });

  test.each(['EdDSA', 'RS256'] as const)(
    'signed with %s is verified by inline public keys',
    async (algorithm) => {
      const [first, second, stranger] = await Promise.all([1, 2, 3].map(() => keyPair(algorithm)));
      const made = await register({ algorithm, jwks: { keys: [first?.jwk, second?.jwk] } });
      expect(made.answer.status).toBe(201);
      for (const pair of [first, second])
        expect(
          (await endpoints(await signer(algorithm, pair?.privateKey as CryptoKey, made.audience)())).status,
        ).toBe(200);
      await expectRefused(await signer(algorithm, stranger?.privateKey as CryptoKey, made.audience)());
    },
  );

  test.each(['EdDSA', 'RS256'] as const)(
    'signed with %s is verified by the keys that its issuer publishes',
    async (algorithm) => {
      const pair = await keyPair(algorithm, 'now');
      published.keys = [{ kty: 'oct', k: 'AAAA' }, pair.jwk];
      const url = `${published.url}/${algorithm}`;
      const { audience } = await register({ algorithm, jwksUrl: url });
      const asked = published.asked;
      const sign = signer(algorithm, pair.privateKey, audience);
      for (let n = 0; n < 3; n += 1)
        expect((await endpoints(await sign({}, { kid: 'now' }))).status).toBe(200);
      expect(published.asked - asked).toBe(1);
    },
  );

  test('signed with a key that was published since is verified, and unknown keys are not asked for again and again', async () => {
    const [old, next] = await Promise.all([keyPair('EdDSA', 'old'), keyPair('EdDSA', 'next')]);
    published.keys = [old.jwk];
    const { audience } = await register({ algorithm: 'EdDSA', jwksUrl: `${published.url}/rotating` });
    expect(
      (await endpoints(await signer('EdDSA', old.privateKey, audience)({}, { kid: 'old' }))).status,
    ).toBe(200);
    const asked = published.asked;
    published.keys = [old.jwk, next.jwk];
    const token = await signer('EdDSA', next.privateKey, audience)({}, { kid: 'next' });
    for (let n = 0; n < 5; n += 1) await endpoints(token);
    expect(published.asked - asked).toBeLessThanOrEqual(1);
    await eventually('the cooldown is over', async () => (await endpoints(token)).status === 200);
  });

  test.each([
    ['does not answer', undefined],
    ['answers no JSON', () => '<html>'],
    ['answers too much', () => JSON.stringify({ keys: [], more: 'x'.repeat(100_000) })],
    ['answers no keys', () => '{"keys":"none"}'],
  ])('whose issuer %s is answered 503, and the issuer is left alone for a while', async (what, answer) => {
    const pair = await keyPair('EdDSA');
    const url = answer ? `${published.url}/${encodeURIComponent(what)}` : 'http://127.0.0.1:9/jwks';
    if (answer) published.answer = answer;
    try {
      const { audience } = await register({ algorithm: 'EdDSA', jwksUrl: url });
      const token = await signer('EdDSA', pair.privateKey, audience)();
      const asked = published.asked;
      for (let n = 0; n < 3; n += 1) {
        const refused = await endpoints(token);
        expect(refused).toMatchObject({ status: 503, body: { code: 'temporarily_unavailable' } });
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      expect(published.asked - asked).toBeLessThanOrEqual(1);
    } finally {
      delete published.answer;
    }
  });

  test('of another issuer or audience is refused', async () => {
    const { sign } = await registerSecret();
    await expectRefused(await sign({ iss: 'https://id.other.example/' }));
    await expectRefused(await sign({ aud: 'somebody-else' }));
    await expectRefused(await sign({ iss: undefined }));
    await expectRefused(await sign({ aud: undefined }));
    await expectRefused(await sign({ iss: 'https://id.acme.example/\0' }));
    await expectRefused(await sign({ iss: [ISSUER] }));
    await expectRefused(await sign({ aud: [7] }));
    await expectRefused(await sign({ aud: Array.from({ length: 21 }, (_, n) => `a${n}`) }));
  });

  test('may name further audiences, but not two that are registered', async () => {
    const [one, other] = [await registerSecret(), await registerSecret()];
    expect((await endpoints(await one.sign({ aud: [one.audience, 'elsewhere'] }))).status).toBe(200);
    await expectRefused(await one.sign({ aud: [one.audience, other.audience] }));
  });

  test('that has expired, never expires or is not valid yet is refused, with some seconds of leeway', async () => {
    const { sign } = await registerSecret();
    const now = Math.floor(Date.now() / 1_000);
    await expectRefused(await sign({ exp: now - 120 }), 'credential_expired');
    await expectRefused(await sign({ exp: undefined }));
    await expectRefused(await sign({ exp: 'tomorrow' }).catch(() => 'a.b.c'));
    await expectRefused(await sign({ nbf: now + 120 }));
    expect((await endpoints(await sign({ exp: now - 5 }))).status).toBe(200);
    expect((await endpoints(await sign({ nbf: now + 5 }))).status).toBe(200);
  });

  test('is checked with the registered algorithm only, whatever its header says', async () => {
    const pair = await keyPair('RS256');
    const { audience } = await register({ algorithm: 'RS256', jwks: { keys: [pair.jwk] } });
    const confused = signer('HS256', Buffer.from(JSON.stringify(pair.jwk)), audience);
    await expectRefused(await confused());
    await expectRefused(await signer('RS512', await asRs512(pair), audience)());
    const secret = await registerSecret();
    await expectRefused(await signer('HS512', Buffer.from(SECRET.repeat(2)), secret.audience)());
  });

  test('that is unsigned, tampered with or no token at all is refused', async () => {
    const { sign, audience } = await registerSecret();
    const token = await sign();
    const [head, , signature] = token.split('.');
    const claims = { iss: ISSUER, aud: audience, exp: Math.floor(Date.now() / 1_000) + 300, sub: 'mallory' };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    await expectRefused(new UnsecuredJWT(claims).encode());
    await expectRefused(`${head}.${body}.${signature}`);
    await expectRefused(`${head}.${body}.`);
    await expectRefused(`${token.slice(0, -4)}AAAA`);
    for (const nonsense of ['a.b.c', '..', 'a.b', `${head}.bnVsbA.${signature}`])
      await expectRefused(nonsense);
  });

  test('of a revoked issuer is refused, and the pair can be registered again', async () => {
    const { sign, id, audience } = await registerSecret();
    const token = await sign();
    expect((await endpoints(token)).status).toBe(200);
    expect((await api.call('DELETE', `/api/v1/jwt-issuers/${id}`)).status).toBe(204);
    await expectRefused(token, 'credential_revoked');
    expect((await api.call('DELETE', `/api/v1/jwt-issuers/${id}`)).status).toBe(204);
    expect((await registerSecret({ audience })).answer.status).toBe(201);
    expect((await endpoints(token)).status).toBe(200);
  });

  test('may do what is registered and what it claims, never more', async () => {
    const { sign } = await registerSecret();
    const may = async (claims: Record<string, unknown>) => {
      const key = await sign(claims);
      const [read, write] = await Promise.all([
        api.call('GET', '/api/v1/endpoints', { key, headers: OURS }),
        api.call('POST', '/api/v1/retries', { key, headers: OURS, body: { select: { deliveryIds: [] } } }),
      ]);
      return [read.status, write.status];
    };
    expect(await may({})).toEqual([200, 403]);
    expect(await may({ scope: 'openid read:endpoints write:deliveries' })).toEqual([200, 403]);
    expect(await may({ scp: ['read:endpoints'] })).toEqual([200, 403]);
    expect(await may({ scope: 'admin' })).toEqual([200, 403]);
    for (const scope of ['', 'openid', 7, null, ['read:deliveries']])
      expect(await may({ scope })).toEqual([403, 403]);
    expect(await may({ scope: 'read:endpoints', scp: ['read:deliveries'] })).toEqual([403, 403]);
  });

  test('acts for the tenant of its issuer, whatever the header names', async () => {
    const { sign } = await registerSecret();
    const { tenant, key } = await api.newTenant();
    const call = async (named: string) =>
      api.call('GET', '/api/v1/endpoints', { key: await sign(), headers: { 'redrive-tenant': named } });
    expect((await call('acme')).status).toBe(200);
    expect((await call(tenant.handle)).status).toBe(404);
    const theirs = await registerSecret({}, key);
    const listed = await api.call('GET', '/api/v1/endpoints', {
      key: await theirs.sign(),
      headers: { 'redrive-tenant': tenant.handle },
    });
    expect(listed.status).toBe(200);
  });

  test('of the installation’s issuer acts for the tenant that it names', async () => {
    const { sign, answer } = await registerSecret({}, api.adminKey);
    expect(answer.body).toMatchObject({ tenantId: null });
    const call = async (headers: Record<string, string>) =>
      api.call('GET', '/api/v1/endpoints', { key: await sign(), headers });
    expect((await call({ 'redrive-tenant': 'acme' })).status).toBe(200);
    expect((await call({})).body.code).toBe('tenant_required');
    expect((await api.call('GET', '/api/v1/tenants', { key: await sign() })).status).toBe(403);
  });

  test('is named as the actor of what it starts, by its issuer and its subject', async () => {
    const { sign, id } = await registerSecret({ scopes: ['write:deliveries'] });
    for (const sub of ['alice', 'bob\0\u{1f600}', undefined])
      await api.call('POST', '/api/v1/retries', {
        key: await sign({ sub }),
        headers: OURS,
        body: { select: { deliveryIds: [] } },
      });
    const { rows } = await api.database.pool.query('select actor from operations order by id desc limit 3');
    expect(rows.map(({ actor }) => actor)).toEqual([
      `jwt:${id}:`,
      expect.stringMatching(new RegExp(`^jwt:${id}:sha256:[0-9a-f]{64}$`)),
      `jwt:${id}:alice`,
    ]);
  });
});

describe('an issuer', () => {
  test('has its secret sealed at rest, and one that was made is shown once', async () => {
    const given = await registerSecret();
    expect(given.answer.body).not.toHaveProperty('secret');
    const made = await register({ algorithm: 'HS256' });
    const { secret } = made.answer.body;
    expect(Buffer.byteLength(secret)).toBeGreaterThanOrEqual(32);
    expect((await endpoints(await signer('HS256', Buffer.from(secret), made.audience)())).status).toBe(200);
    const listed = await api.call('GET', '/api/v1/jwt-issuers?limit=500');
    for (const text of [secret, SECRET]) expect(listed.text).not.toContain(text);
    const { rows } = await api.database.pool.query(
      `select count(*) as found from jwt_issuers i
       where position($1 in i::text) > 0 or position($2::bytea in coalesce(sealed_secret, '')) > 0`,
      [secret, Buffer.from(secret)],
    );
    expect(rows[0].found).toBe(0);
    // Moved to another row it does not open.
    const before = { level: api.log.length };
    await api.database.pool.query(
      `update jwt_issuers set sealed_secret = (select sealed_secret from jwt_issuers where audience = $1) where audience = $2`,
      [made.audience, given.audience],
    );
    expect((await endpoints(await given.sign())).status).toBe(500);
    expect(api.log.slice(before.level).join()).not.toContain(SECRET);
  });

  test('cannot be registered twice with one tenant, nor twice by the installation', async () => {
    const { audience } = await registerSecret();
    const taken = { status: 409, body: { code: 'state_conflict' } };
    const again = async (key: string, members: Record<string, unknown> = {}) =>
      (await registerSecret({ audience, ...members }, key)).answer;
    expect(await again(api.key)).toMatchObject(taken);
    expect(await again(api.adminKey, { tenantId: 'acme' })).toMatchObject(taken);
    const { tenant, key } = await api.newTenant();
    expect((await again(key)).status).toBe(201);
    expect((await again(api.adminKey)).status).toBe(201);
    expect(await again(api.adminKey)).toMatchObject(taken);
    const another = await api.newTenant();
    for (const tenantId of [tenant.id, another.tenant.id])
      expect(await again(api.adminKey, { tenantId })).toMatchObject(taken);
  });

  test('cannot grant what its maker lacks, nor act for another tenant', async () => {
    const limited = await api.newKey(api.tenant.id, ['write:keys', 'read:endpoints']);
    expect((await registerSecret({ scopes: ['read:endpoints'] }, limited)).answer.status).toBe(201);
    expect((await registerSecret({ scopes: ['write:deliveries'] }, limited)).answer.body.code).toBe(
      'insufficient_scope',
    );
    expect((await registerSecret({ scopes: ['admin'] })).answer.body.code).toBe('insufficient_scope');
    const { tenant } = await api.newTenant();
    expect((await registerSecret({ tenantId: tenant.handle })).answer.status).toBe(404);
    expect((await registerSecret({ tenantId: 'a\0b' }, api.adminKey)).answer.status).toBe(404);
    expect(
      (await registerSecret({ tenantId: tenant.id, scopes: ['admin'] }, api.adminKey)).answer.body,
    ).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: '#/scopes' }],
    });
    expect((await registerSecret({ tenantId: tenant.handle }, api.adminKey)).answer.body.tenantId).toMatch(
      /^ten_/,
    );
    const without = await api.newKey(api.tenant.id, ['read:endpoints']);
    expect((await registerSecret({}, without)).answer.body.code).toBe('insufficient_scope');
  });

  test('is listed and revoked by its own tenant only', async () => {
    const { id } = await registerSecret();
    const { key } = await api.newTenant();
    expect((await api.call('GET', '/api/v1/jwt-issuers', { key })).body.items).toEqual([]);
    expect((await api.call('DELETE', `/api/v1/jwt-issuers/${id}`, { key })).status).toBe(404);
    expect((await api.call('DELETE', `/api/v1/jwt-issuers/${id}`, { key: api.adminKey })).status).toBe(404);
    const first = await api.call('GET', '/api/v1/jwt-issuers?limit=1');
    expect(first.body.items).toHaveLength(1);
    expect(first.body.items[0].id).toBe(id);
    expect(
      (await api.call('GET', `/api/v1/jwt-issuers?limit=1&cursor=${first.body.nextCursor}`)).status,
    ).toBe(200);
    const ofAll = await api.call('GET', '/api/v1/jwt-issuers', { key: api.adminKey });
    for (const item of ofAll.body.items) expect(item.tenantId).toBeNull();
  });

  test('is refused where its keys are private, weak, of another kind or out of reach', async () => {
    const pair = await keyPair('EdDSA');
    const rsa = await keyPair('RS256');
    const weak = Buffer.alloc(128, 255).toString('base64url');
    const refused = async (members: Record<string, unknown>, pointer: string) => {
      const { answer } = await register(members);
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ pointer }] } });
    };
    const private_ = await exportJWK(pair.privateKey);
    await refused({ algorithm: 'EdDSA', jwks: { keys: [private_] } }, '#/jwks/keys/0');
    await refused({ algorithm: 'EdDSA', jwks: { keys: [pair.jwk, rsa.jwk] } }, '#/jwks/keys/1');
    await refused({ algorithm: 'EdDSA', jwks: { keys: [{ ...pair.jwk, use: 'enc' }] } }, '#/jwks/keys/0');
    await refused({ algorithm: 'EdDSA', jwks: { keys: [{ ...pair.jwk, kid: 'a\0' }] } }, '#/jwks/keys/0');
    await refused({ algorithm: 'EdDSA', jwks: { keys: [{ ...pair.jwk, x: 'AAAA' }] } }, '#/jwks/keys/0');
    await refused(
      { algorithm: 'RS256', jwks: { keys: [{ kty: 'RSA', n: weak, e: 'AQAB' }] } },
      '#/jwks/keys/0',
    );
    await refused({ algorithm: 'RS256', jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }, '#/jwks/keys/0/kty');
    await refused({ algorithm: 'RS256', jwks: { keys: [] } }, '#/jwks/keys');
    await refused({ algorithm: 'EdDSA' }, '#/jwks');
    await refused({ algorithm: 'EdDSA', jwks: { keys: [pair.jwk] }, secret: SECRET }, '#/secret');
    await refused({ algorithm: 'HS256', secret: 'too short' }, '#/secret');
    await refused({ algorithm: 'HS256', jwksUrl: published.url }, '#/jwksUrl');
    await refused({ algorithm: 'none' }, '#/algorithm');
    await refused({ algorithm: 'HS256', scopes: ['everything'] }, '#/scopes/0');
    for (const jwksUrl of [
      'http://169.254.169.254/keys',
      'http://10.0.0.1/',
      'file:///etc/passwd',
      'nonsense',
      'https://u:p@id.example/',
    ])
      await refused({ algorithm: 'EdDSA', jwksUrl }, '#/jwksUrl');
  });

  test('whose name comes to mean an address of our own network is not asked for keys', async () => {
    const guard = createAddressGuard([], (_, __, callback) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }]),
    );
    const other = await startTestApi({ guard, keySets: createKeySets(guard) });
    try {
      const port = new URL(published.url).port;
      await other.database.pool.query(
        `insert into jwt_issuers (tenant_id, name, issuer, audience, algorithm, jwks_url, scopes)
         values ($1, 'x', $2, 'rebound', 'EdDSA', $3, '{read:endpoints}')`,
        [other.tenant.id, ISSUER, `http://rebound.example:${port}/jwks`],
      );
      const pair = await keyPair('EdDSA');
      const asked = published.asked;
      const token = await signer('EdDSA', pair.privateKey, 'rebound')();
      expect((await other.call('GET', '/api/v1/endpoints', { key: token, headers: OURS })).status).toBe(503);
      expect(published.asked).toBe(asked);
      expect(other.log.join()).toContain('ERR_ADDRESS_BLOCKED');
    } finally {
      await other.close();
    }
  });
});

describe('tokens', () => {
  const named = (handle: string) => ({ 'redrive-tenant': handle });

  /** A tenant whose issuer signs with a key, and a stranger who knows everything of it but the private key. */
  async function scene(registeredBy: 'tenant' | 'installation') {
    const pair = await keyPair('EdDSA');
    const { tenant, key } = await api.newTenant();
    const stranger = await api.newTenant();
    const members = {
      issuer: `https://id.${tenant.handle}.example/`,
      audience: 'redrive',
      algorithm: 'EdDSA',
      jwks: { keys: [pair.jwk] },
    };
    const made = () =>
      registeredBy === 'tenant'
        ? register(members, key)
        : register({ ...members, tenantId: tenant.id }, api.adminKey);
    const sign = (aud: unknown = 'redrive') =>
      signer('EdDSA', pair.privateKey, '')({ iss: members.issuer, aud });
    return { tenant, stranger, members, register: made, sign };
  }

  test.each(['tenant', 'installation'] as const)(
    'of a tenant are accepted although a stranger registers a second audience of their issuer, which the %s registered',
    async (registeredBy) => {
      const it = await scene(registeredBy);
      await it.register();
      const theirs = await register({ ...it.members, audience: 'second' }, it.stranger.key);
      expect(theirs.answer.status).toBe(201);
      const token = await it.sign(['redrive', 'second']);
      expect((await endpoints(token, named(it.tenant.handle))).status).toBe(200);
      if (registeredBy === 'installation') expect((await endpoints(token, {})).status).toBe(200);
    },
  );

  test.each(['tenant', 'installation'] as const)(
    'of a tenant are accepted although a stranger registered issuer, audience and public keys before the %s',
    async (registeredBy) => {
      const it = await scene(registeredBy);
      expect((await register(it.members, it.stranger.key)).answer.status).toBe(201);
      const token = await it.sign();
      // Without a name it belongs to nobody, and least of all to the stranger.
      await expectRefusedWith(token, {});
      expect((await it.register()).answer.status).toBe(201);
      const listed = await api.call('GET', '/api/v1/endpoints', {
        key: token,
        headers: named(it.tenant.handle),
      });
      expect(listed.status).toBe(200);
      if (registeredBy === 'tenant') await expectRefusedWith(token, {});
      else expect((await endpoints(token, {})).status).toBe(200);
    },
  );

  test('of the installation stay with its issuer although the tenant that they name registers the same one', async () => {
    const [pair, other] = [await keyPair('EdDSA'), await keyPair('EdDSA')];
    const members = { issuer: 'https://id.operator.example/', audience: 'redrive', algorithm: 'EdDSA' };
    const scopes = ['read:endpoints', 'write:deliveries'];
    const { id } = await register({ ...members, jwks: { keys: [pair.jwk] }, scopes }, api.adminKey);
    const { tenant, key } = await api.newTenant();
    const token = await signer('EdDSA', pair.privateKey, 'redrive')({ iss: members.issuer });
    for (const jwk of [other.jwk, pair.jwk]) {
      const theirs = await register({ ...members, jwks: { keys: [jwk] } }, key);
      expect(theirs.answer.status).toBe(201);
      const started = await api.call('POST', '/api/v1/retries', {
        key: token,
        headers: named(tenant.handle),
        body: { select: { deliveryIds: [] } },
      });
      expect(started.status).toBe(202);
      const { rows } = await api.database.pool.query('select actor from operations order by id desc limit 1');
      expect(rows[0].actor).toBe(`jwt:${id}:alice`);
      await api.call('DELETE', `/api/v1/jwt-issuers/${theirs.id}`, { key });
    }
    // Beside it, the tenant's own tokens of that pair are good for the tenant, and for nobody else.
    const own = await register({ ...members, jwks: { keys: [other.jwk] } }, key);
    expect(own.answer.status).toBe(201);
    const ownToken = await signer('EdDSA', other.privateKey, 'redrive')({ iss: members.issuer });
    expect((await endpoints(ownToken, named(tenant.handle))).status).toBe(200);
    await expectRefusedWith(ownToken, {});
    expect((await endpoints(ownToken, OURS)).status).toBe(404);
  });

  test('have to name the tenant that registered their issuer, on every surface that takes tokens', async () => {
    const { tenant, key } = await api.newTenant();
    const { tenant: elsewhere } = await api.newTenant();
    const { sign } = await registerSecret({}, key);
    const token = await sign();
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      const authorization = path.startsWith('/executions') ? token : `Bearer ${token}`;
      return (await fetch(`${api.url}${path}`, { headers: { authorization, ...headers } })).status;
    };
    const jackHenry = (institution: string) =>
      `/a/api/enterprise-event/v1/${institution}/events/${elsewhere.id}`;
    const surfaces = (name: string) =>
      Promise.all([
        ask('/api/v1/endpoints', { 'redrive-tenant': name }),
        ask('/flowrelay/v1/receipts', { 'redrive-tenant': name }),
        ask('/v1/replays', { 'x-tenant-id': name }),
        ask('/executions', { 'redrive-tenant': name }),
      ]);
    for (const name of [tenant.handle, tenant.id]) {
      expect(await surfaces(name)).toEqual([200, 200, 200, 200]);
      expect(await ask(`/v1/tenants/${name}/deliveries`)).toBe(200);
    }
    expect(await ask(jackHenry(tenant.id))).toBe(200);
    expect(await ask(jackHenry(tenant.id.toUpperCase()))).toBe(200);
    expect(await surfaces('')).toEqual([401, 401, 401, 401]);
    for (const name of [elsewhere.handle, elsewhere.id, 'no-such-tenant'])
      expect(await surfaces(name)).toEqual([404, 404, 404, 404]);
    expect(await ask(`/v1/tenants/${elsewhere.handle}/deliveries`)).toBe(404);
    expect(await ask('/v1/tenants/%00/deliveries')).toBe(404);
    // The events of an institution declare no 404.
    expect(await ask(jackHenry(elsewhere.id))).toBe(403);
    expect(await ask('/api/v1/tenants')).toBe(403);
  });

  test('need not name a tenant for which the installation registered their issuer', async () => {
    const { tenant } = await api.newTenant();
    const { sign } = await registerSecret({ tenantId: tenant.id }, api.adminKey);
    expect((await endpoints(await sign(), {})).status).toBe(200);
    expect((await endpoints(await sign(), named(tenant.handle))).status).toBe(200);
    expect((await endpoints(await sign(), OURS)).status).toBe(404);
  });

  async function expectRefusedWith(token: string, headers: Record<string, string>): Promise<void> {
    expect(await endpoints(token, headers)).toMatchObject({
      status: 401,
      body: { code: 'credential_invalid', detail: expect.stringContaining('name that tenant') },
    });
  }
});

async function asRs512({ privateKey }: Pair): Promise<CryptoKey> {
  const { alg: _, ...jwk } = await exportJWK(privateKey);
  return (await importJWK(jwk, 'RS512')) as CryptoKey;
}

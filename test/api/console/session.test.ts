import { get, type IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import type { Scope } from '../../../src/domain/tenancy/scope.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { dropOldSessions } from '../../../src/store/tenancy/console-sessions.ts';
import { makeSignInCode, takeSignInCode } from '../../../src/store/tenancy/sign-in-codes.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { rowCounts } from '../../support/api/api-world.ts';
import { fromConsole, type SignedIn, signIn } from '../../support/api/console-client.ts';
import { useApi, useApiWorld } from '../../support/api/use-api.ts';

const lines: string[] = [];
const world = useApiWorld({
  log: createLogger({ level: 'debug', destination: { write: (line) => void lines.push(line) } }),
  streamLimits: { exportsOfTenant: 4, eventsOfCredential: 20, eventsOfTenant: 50, checkEveryMs: 50 },
});

const LIST = '/api/v1/endpoints';

async function newSession(scopes: Scope[] = ['read:endpoints', 'write:keys']): Promise<SignedIn> {
  const { api } = world;
  return signIn(api, { credential: await api.newKey(api.tenant.id, scopes) });
}

/** Changes the row of a session. */
async function change({ answer }: SignedIn, set: string): Promise<void> {
  const { api } = world;
  await api.database.pool.query(`update console_sessions set ${set} where id = $1`, [
    api.uuid(answer.body.id),
  ]);
}

async function expectOver(session: SignedIn, because: RegExp): Promise<void> {
  const answer = await session.call('GET', LIST);
  expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
  expect(answer.body.detail).toMatch(because);
}

async function tokenOfNewIssuer(claims: Record<string, unknown> = {}) {
  const { api } = world;
  const secret = 'a-secret-of-at-least-thirty-two-bytes';
  const audience = `console-${Math.random()}`;
  const { body } = await api.call('POST', '/api/v1/jwt-issuers', {
    body: {
      ...{ name: 'idp', issuer: 'https://id.example/', audience, algorithm: 'HS256', secret },
      scopes: ['read:endpoints', 'read:deliveries'],
    },
  });
  const token = await new SignJWT({ scope: 'read:endpoints', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('https://id.example/')
    .setAudience(audience)
    .setSubject('alice')
    .setExpirationTime('1h')
    .sign(Buffer.from(secret));
  return { token, issuerId: body.id as string };
}

describe('signing in', () => {
  test('exchanges a key for a cookie that calls as the key does', async () => {
    const { api } = world;
    const session = await newSession();
    expect(session.answer.body).toMatchObject({
      actor: expect.stringMatching(/^key_/),
      tenant: { handle: 'acme' },
      scopes: ['read:endpoints', 'write:keys'],
      grant: null,
      idleMs: 43_200_000,
    });
    expect(session.answer.headers.get('set-cookie')).toMatch(
      /^redrive-\d+=[\w-]{43}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Strict$/,
    );
    expect(session.answer.headers.get('cache-control')).toBe('no-store');
    expect((await session.call('GET', LIST)).status).toBe(200);
    const made = await session.call('POST', '/api/v1/keys', {
      body: { name: 'by session', scopes: ['read:endpoints'] },
    });
    expect(made.status).toBe(201);
    const { rows } = await api.database.pool.query(
      'select actor, key_id from audit_entries where target_id = $1',
      [api.uuid(made.body.id)],
    );
    expect(rows).toEqual([{ actor: session.answer.body.actor, key_id: api.uuid(session.answer.body.actor) }]);
  });

  test('exchanges a token, which may do no more than it said, until it expires', async () => {
    const { api } = world;
    const { token } = await tokenOfNewIssuer();
    const session = await signIn(api, { credential: token }, { 'redrive-tenant': 'acme' });
    expect(session.answer.body).toMatchObject({
      actor: expect.stringMatching(/^jwt:iss_.*:alice$/),
      scopes: ['read:endpoints'],
    });
    expect(Date.parse(session.answer.body.endsAt) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect((await session.call('GET', LIST)).status).toBe(200);
    expect(await session.call('GET', '/api/v1/deliveries')).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope' },
    });
    await change(session, `token_expires_at = now()`);
    await expectOver(session, /expired/);
  });

  test('with a token that must name its tenant and does not is refused', async () => {
    const { token } = await tokenOfNewIssuer();
    const answer = await world.api.call('POST', '/console/session', {
      key: undefined,
      body: { credential: token },
      headers: fromConsole(world.api.url),
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'credential_invalid' } });
  });

  test.each([
    ['nothing', {}],
    ['both', { credential: 'rdk_x', code: 'x' }],
    ['what is no credential', { credential: 'two words' }],
    ['something else', { key: 'rdk_x' }],
  ])('with %s is refused before anything is looked up', async (_, body) => {
    const answer = await world.api.call('POST', '/console/session', {
      key: undefined,
      body,
      headers: fromConsole(world.api.url),
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test('with a credential that is none leaves nothing behind, and no cookie', async () => {
    const { api } = world;
    const before = await rowCounts(api);
    for (const credential of ['rdk_wrong', 'a.b.c', 'x']) {
      const answer = await api.call('POST', '/console/session', {
        key: undefined,
        body: { credential },
        headers: fromConsole(api.url),
      });
      expect(answer).toMatchObject({ status: 401, body: { code: 'credential_invalid' } });
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
    expect(await rowCounts(api)).toEqual(before);
  });

  test('again is a new session, and the one that the browser had is over', async () => {
    const { api } = world;
    const first = await newSession();
    const key = await api.newKey(api.tenant.id, ['read:endpoints']);
    const second = await signIn(api, { credential: key }, { cookie: first.cookie });
    expect(second.secret).not.toBe(first.secret);
    await expectOver(first, /signed out/);
    expect((await second.call('GET', LIST)).status).toBe(200);
  });

  test('never goes on with a session that somebody planted in the browser', async () => {
    const { api } = world;
    const theirs = await newSession();
    const name = theirs.cookie.split('=')[0];
    const unknown = 'q'.repeat(43);
    for (const planted of [theirs.secret, unknown]) {
      const own = await signIn(
        api,
        { credential: await api.newKey(api.tenant.id, ['read:endpoints']) },
        { cookie: `${name}=${planted}` },
      );
      expect(own.secret).not.toBe(planted);
      // Who knows what was planted gets nowhere by it.
      const other = await api.call('GET', LIST, {
        key: undefined,
        headers: { ...fromConsole(api.url), cookie: `${name}=${planted}` },
      });
      expect(other).toMatchObject({ status: 401, body: { code: 'session_ended' } });
      expect((await own.call('GET', LIST)).status).toBe(200);
    }
  });

  test('takes keys that were made with a grant, and they stay as narrow', async () => {
    const { api } = world;
    const { body } = await api.call('POST', '/api/v1/keys', {
      key: api.adminKey,
      body: { tenantId: 'acme', name: 'observer', grant: 'observer' },
    });
    const session = await signIn(api, { credential: body.key });
    expect(session.answer.body.grant).toBe('observer');
    const withPayload = await session.call(
      'GET',
      `/api/v1/events/${world.ours.delivery.eventId}?include=payload`,
    );
    expect(withPayload.status).toBe(403);
  });
});

describe('where one signs in', () => {
  const plain = useApi({ publicOrigin: () => 'http://redrive.example.com' });
  const nowhere = useApi({ publicOrigin: () => undefined });
  const tls = useApi({ publicOrigin: () => 'https://redrive.example.com' });

  test('is nowhere that a cookie would cross a network in plain text', async () => {
    for (const api of [plain, nowhere]) {
      const origin = api.deps.publicOrigin() ?? api.url;
      const answer = await api.call('POST', '/console/session', {
        key: undefined,
        body: { credential: api.key },
        headers: fromConsole(origin),
      });
      expect(answer).toMatchObject({ status: 403, body: { code: 'tls_required' } });
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
  });

  test('is the public origin, whose cookie is for that host alone', async () => {
    const answer = await tls.call('POST', '/console/session', {
      key: undefined,
      body: { credential: tls.key },
      headers: fromConsole('https://redrive.example.com'),
    });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^__Host-redrive=[\w-]{43}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Strict; Secure$/,
    );
    const elsewhere = await tls.call('POST', '/console/session', {
      key: undefined,
      body: { credential: tls.key },
      headers: fromConsole(tls.url),
    });
    expect(elsewhere).toMatchObject({ status: 403, body: { code: 'cross_origin_refused' } });
    expect(elsewhere.body.detail).toContain('https://redrive.example.com/console');
  });
});

describe('a session is over', () => {
  test('after 12 hours without use', async () => {
    const session = await newSession();
    await change(session, `seen_at = now() - interval '11 hours 59 minutes'`);
    expect((await session.call('GET', LIST)).status).toBe(200);
    await change(session, `seen_at = now() - interval '12 hours'`);
    await expectOver(session, /12 hours/);
  });

  test('after 24 hours, however it is used', async () => {
    const session = await newSession();
    await change(session, `created_at = now() - interval '24 hours'`);
    await expectOver(session, /24 hours/);
  });

  test('when its key is revoked, at once', async () => {
    const { api } = world;
    const session = await newSession();
    expect((await session.call('GET', LIST)).status).toBe(200);
    await api.call('DELETE', `/api/v1/keys/${session.answer.body.actor}`);
    await expectOver(session, /revoked/);
  });

  test('when its key expires, which its end has told', async () => {
    const { api } = world;
    const soon = new Date(Date.now() + 3_600_000);
    const session = await signIn(api, {
      credential: await api.newKey(api.tenant.id, ['read:endpoints'], soon),
    });
    expect(session.answer.body.endsAt).toBe(soon.toISOString());
    await api.database.pool.query('update api_keys set expires_at = now() where id = $1', [
      api.uuid(session.answer.body.actor),
    ]);
    await expectOver(session, /expired/);
  });

  test('when the issuer of its token is revoked', async () => {
    const { api } = world;
    const { token, issuerId } = await tokenOfNewIssuer();
    const session = await signIn(api, { credential: token }, { 'redrive-tenant': 'acme' });
    await api.call('DELETE', `/api/v1/jwt-issuers/${issuerId}`);
    await expectOver(session, /revoked/);
  });

  test('when somebody signs out, once; signing out again changes nothing', async () => {
    const { api } = world;
    const session = await newSession();
    const out = await session.call('DELETE', '/console/session');
    expect(out.status).toBe(204);
    expect(out.headers.get('set-cookie')).toMatch(/=; Path=\/; Max-Age=0;/);
    await expectOver(session, /signed out/);
    const before = await rowCounts(api);
    expect((await session.call('DELETE', '/console/session')).status).toBe(204);
    expect(await rowCounts(api)).toEqual(before);
  });

  test('where nobody knows it', async () => {
    const session = await newSession();
    const answer = await world.api.call('GET', LIST, {
      key: undefined,
      headers: {
        ...fromConsole(world.api.url),
        cookie: session.cookie.replace(session.secret, 'q'.repeat(43)),
      },
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
  });

  describe('and its event streams end with it', () => {
    const ofOperation = () => `/api/v1/retries/${world.ours.operationId}/stream`;
    const begin = async (session: SignedIn, path = ofOperation()) => {
      const { api } = world;
      const headers = { accept: 'text/event-stream', cookie: session.cookie, 'redrive-console': '1' };
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        get(`${api.url}${path}`, { agent: false, headers }, resolve).on('error', reject);
      });
      expect(response.statusCode).toBe(200);
      const ended = new Promise<void>((resolve) => response.once('end', () => resolve()));
      response.resume();
      return { ended };
    };

    test.each([
      ['of an operation', ofOperation],
      ['of a tenant', () => '/api/v1/stream'],
    ])('%s when its key is revoked', async (_, path) => {
      const session = await newSession(['read:deliveries']);
      const { ended } = await begin(session, path());
      await world.api.call('DELETE', `/api/v1/keys/${session.answer.body.actor}`);
      await ended;
    });

    test('when nothing else has used it, for reading on is no use', async () => {
      const session = await newSession(['read:deliveries']);
      const { ended } = await begin(session);
      await change(session, `seen_at = now() - interval '12 hours' + interval '500 milliseconds'`);
      await ended;
    });
  });
});

test('a use is written down at most once a minute', async () => {
  const { api } = world;
  const session = await newSession();
  const written = async () => {
    const { rows } = await api.database.pool.query(
      "select xmin::text, now() - seen_at < interval '1 minute' as fresh from console_sessions where id = $1",
      [api.uuid(session.answer.body.id)],
    );
    return rows[0];
  };
  const first = await written();
  await session.call('GET', LIST);
  expect(await written()).toEqual(first);
  await change(session, `seen_at = now() - interval '2 minutes'`);
  await session.call('GET', LIST);
  expect(await written()).toMatchObject({ fresh: true });
});

test('scopes are those of the key now, not those at the time of signing in', async () => {
  const { api } = world;
  const session = await newSession();
  await api.database.pool.query(`update api_keys set scopes = '{read:deliveries}' where id = $1`, [
    api.uuid(session.answer.body.actor),
  ]);
  expect(await session.call('GET', LIST)).toMatchObject({
    status: 403,
    body: { code: 'insufficient_scope' },
  });
});

describe('a session of one tenant', () => {
  test('does not find what another has, whoever is named', async () => {
    const { api, ours, theirs } = world;
    const session = await signIn(api, { credential: ours.key });
    for (const path of [
      `/api/v1/endpoints/${theirs.endpointId}`,
      `/api/v1/deliveries/${theirs.delivery.deliveryId}`,
      `/api/v1/events/${theirs.delivery.eventId}`,
      `/api/v1/retries/${theirs.operationId}`,
      `/api/v1/retries/plans/${theirs.planId}`,
    ]) {
      expect([path, (await session.call('GET', path)).status]).toEqual([path, 404]);
      const named = await session.call('GET', path, { headers: { 'redrive-tenant': theirs.handle } });
      expect([path, named.status]).toEqual([path, 404]);
    }
  });

  test('and one of the installation says which tenant it is about', async () => {
    const { api, theirs } = world;
    const own = await api.call('GET', LIST, { key: theirs.key });
    expect(own.body.items.map(({ id }: { id: string }) => id)).toContain(theirs.endpointId);
    const session = await signIn(api, { credential: api.adminKey });
    expect(session.answer.body.tenant).toBeNull();
    expect(await session.call('GET', LIST)).toMatchObject({
      status: 400,
      body: { code: 'tenant_required' },
    });
    for (const tenant of [theirs.handle, theirs.tenantId]) {
      const answer = await session.call('GET', LIST, { headers: { 'redrive-tenant': tenant } });
      expect(answer.body).toEqual(own.body);
    }
    expect((await session.call('GET', '/api/v1/tenants')).status).toBe(200);
  });
});

describe('a cookie', () => {
  test('is not read beside a credential, right or wrong', async () => {
    const { api } = world;
    const session = await newSession();
    for (const authorization of ['Bearer rdk_wrong', 'Basic eDp5', '']) {
      const answer = await session.call('GET', LIST, { headers: { authorization } });
      expect([authorization, answer.status]).toEqual([authorization, 401]);
    }
    const { key } = await api.newTenant();
    const other = await session.call('GET', LIST, { headers: { authorization: `Bearer ${key}` } });
    expect(other.body).toEqual({ items: [], nextCursor: null });
  });

  test('makes nobody else’s page a caller', async () => {
    const { api } = world;
    const session = await newSession();
    const read = await api.call('GET', LIST, { key: undefined, headers: { cookie: session.cookie } });
    expect(read).toMatchObject({ status: 401, body: { code: 'credential_missing' } });

    const before = await rowCounts(api);
    const body = { name: 'forged', scopes: ['read:endpoints'] };
    const own = fromConsole(api.url);
    for (const headers of [
      {},
      { origin: api.url },
      { ...own, origin: 'http://evil.example' },
      { ...own, origin: 'null' },
      { 'redrive-console': '1' },
      { ...own, 'content-type': 'text/plain' },
    ]) {
      const forged = await api.call('POST', '/api/v1/keys', {
        key: undefined,
        body,
        headers: { cookie: session.cookie, ...headers },
      });
      expect(forged).toMatchObject({ status: 403, body: { code: 'cross_origin_refused' } });
      const gone = await api.call('DELETE', `/api/v1/keys/${world.ours.keyId}`, {
        key: undefined,
        headers: { cookie: session.cookie, ...headers },
      });
      expect(gone.status).toBe(403);
    }
    expect(await rowCounts(api)).toEqual(before);
  });

  test('is neither given nor taken away by another page', async () => {
    const { api } = world;
    const session = await newSession();
    for (const headers of [{}, { ...fromConsole('http://evil.example') }]) {
      const entered = await api.call('POST', '/console/session', {
        key: undefined,
        body: { credential: api.key },
        headers,
      });
      expect(entered).toMatchObject({ status: 403, body: { code: 'cross_origin_refused' } });
      const left = await api.call('DELETE', '/console/session', {
        key: undefined,
        headers: { cookie: session.cookie, ...headers },
      });
      expect(left.status).toBe(403);
    }
    expect((await session.call('GET', LIST)).status).toBe(200);
  });

  test('says nothing about its key: neither it nor the key nor a code is kept, logged or audited', async () => {
    const { api } = world;
    const key = await api.newKey(api.tenant.id, ['read:endpoints']);
    const session = await signIn(api, { credential: key });
    const code = await codeFor(key);
    const byCode = await signIn(api, { code });
    await byCode.call('DELETE', '/console/session');
    await api.call('POST', '/console/session', {
      key: undefined,
      body: { credential: `${key}x` },
      headers: fromConsole(api.url),
    });
    expect(lines.join('')).toContain('session.opened');
    const { rows } = await api.database.pool.query(
      `select (select string_agg(s::text, ' ') from console_sessions s) || (select string_agg(k::text, ' ') from api_keys k)
        || (select string_agg(a::text, ' ') from audit_entries a) as kept`,
    );
    for (const secret of [key, session.secret, byCode.secret, code])
      for (const place of [lines.join(''), rows[0].kept]) expect(place).not.toContain(secret);
  });
});

/** A code that signs in as a key; the key gets a name of its own for it. */
async function codeFor(key: string): Promise<string> {
  const { api } = world;
  const name = `named-${Math.random()}`;
  await api.database.pool.query(`update api_keys set name = $2 where key_hash = sha256($1::bytea)`, [
    Buffer.from(key),
    name,
  ]);
  const code = await makeSignInCode(api.database.pool, { tenant: 'acme', name });
  if (code === undefined) throw new Error('no code was made');
  return code;
}

describe('a link', () => {
  test('signs in as its key, once, whoever comes first', async () => {
    const { api } = world;
    const code = await codeFor(await api.newKey(api.tenant.id, ['read:endpoints']));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        api.call('POST', '/console/session', {
          key: undefined,
          body: { code },
          headers: fromConsole(api.url),
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(401)]);
    expect(answers.find(({ status }) => status === 401)?.body.code).toBe('sign_in_code_refused');
  });

  test('is good for a minute', async () => {
    const { api } = world;
    const code = await codeFor(await api.newKey(api.tenant.id, ['read:endpoints']));
    const { rows } = await api.database.pool.query(
      `select extract(epoch from expires_at - now())::int as seconds from sign_in_codes`,
    );
    expect(rows.at(-1).seconds).toBeLessThanOrEqual(60);
    await api.database.pool.query('update sign_in_codes set expires_at = now()');
    expect(await withTransaction(api.database.pool, (tx) => takeSignInCode(tx, code))).toBeUndefined();
  });

  test('is worth nothing once its key is revoked, and none is made for such a key or another tenant’s', async () => {
    const { api, theirs } = world;
    const key = await api.newKey(api.tenant.id, ['read:endpoints']);
    const code = await codeFor(key);
    const { rows } = await api.database.pool.query(
      'update api_keys set revoked_at = now() where key_hash = sha256($1::bytea) returning name',
      [Buffer.from(key)],
    );
    const answer = await api.call('POST', '/console/session', {
      key: undefined,
      body: { code },
      headers: fromConsole(api.url),
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'sign_in_code_refused' } });
    const { name } = rows[0];
    expect(await makeSignInCode(api.database.pool, { tenant: 'acme', name })).toBeUndefined();
    expect(await makeSignInCode(api.database.pool, { tenant: theirs.handle, name })).toBeUndefined();
  });

  test('that was refused before is not used up by a page that may not use it', async () => {
    const { api } = world;
    const code = await codeFor(await api.newKey(api.tenant.id, ['read:endpoints']));
    const forged = await api.call('POST', '/console/session', {
      key: undefined,
      body: { code },
      headers: fromConsole('http://evil.example'),
    });
    expect(forged.status).toBe(403);
    expect((await signIn(api, { code })).answer.status).toBe(201);
  });
});

test('old sessions and codes are removed by and by', async () => {
  const { api } = world;
  const session = await newSession();
  await codeFor(await api.newKey(api.tenant.id, ['read:endpoints']));
  await api.database.pool.query(`update sign_in_codes set expires_at = now()`);
  await change(session, `created_at = now() - interval '3 days'`);
  expect(await dropOldSessions(api.database.pool, 500)).toBe(1);
  const { rows } = await api.database.pool.query(
    `select (select count(*)::int from console_sessions where id = $1) as sessions,
      (select count(*)::int from sign_in_codes where expires_at <= now()) as codes`,
    [api.uuid(session.answer.body.id)],
  );
  expect(rows[0]).toEqual({ sessions: 0, codes: 0 });
  expect((await newSession()).answer.status).toBe(201);
});

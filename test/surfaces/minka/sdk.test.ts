import { beforeAll, describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import {
  ask,
  isVerified,
  newTestSigner,
  proofOf,
  registrationOf,
  sha256,
  type TestSigner,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../../support/surfaces/minka-scene.ts';

/**
 * Requests as the ledger's own SDK for JavaScript makes them, version 2.2.5: its headers, its token over the request, its
 * spelling of parameters and its envelope. It is no dependency of this project, for it pins an HTTP client with known faults.
 */

const api = useApi();
let scene: MinkaScene;
/** Ids (uuids), oldest first. */
let ids: string[];

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key }, 'mint');
  ids = (await seedFailedDeliveries(api, 3)).map(({ deliveryId }) => api.uuid(deliveryId));
});

/** Sends a request with a token that is bound to it: method, absolute URL, body and the header `x-ledger`. */
function sdkRequest(method: 'GET' | 'POST', path: string, body?: object, signer: TestSigner = scene.signer) {
  const url = `${api.url}/v2${path}`;
  const hash = sha256(canonicalJson({ method, url, body: body ?? null, headers: { 'x-ledger': 'acme' } }));
  return ask(api.url, method, `/v2${path}`, {
    ...(body ? { body } : {}),
    headers: {
      authorization: `Bearer ${tokenOf(signer, { sub: signer.public, hsh: `${hash}:x-ledger` })}`,
      'x-ledger': 'acme',
      accept: 'application/json, text/plain, */*',
    },
  });
}

/** An envelope as its builder makes it: with a moment next to the proofs, too. */
function built(data: object) {
  const hash = sha256(canonicalJson(data));
  const moment = new Date().toISOString();
  return { hash, data, meta: { proofs: [proofOf(scene.signer, hash, { moment })], moment } };
}

const handlesIn = ({ body }: Awaited<ReturnType<typeof ask>>): string[] =>
  body.data.map(({ data }: { data: { handle: string } }) => data.handle).sort();

describe('the SDK reads', () => {
  test("the server's status, without a token", async () => {
    const answer = await ask(api.url, 'GET', '/v2', { headers: { 'x-ledger': 'acme' } });
    api.check.assert('GET', '/v2', answer);
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { status: 'UP', semver: '0.0.0-test', dependencies: { db: 'CONNECTED' } } },
    });
    expect(isVerified(answer.body)).toBe(true);
  });

  test('the system signer, whose key every answer is signed with', async () => {
    const answer = await sdkRequest('GET', '/signers/system');
    api.check.assert('GET', '/v2/signers/system', answer);
    const known = await api.call('GET', '/api/v1/signers/system');
    expect(answer.body.data).toEqual({ handle: 'system', format: 'ed25519-raw', public: known.body.public });
    expect(answer.body.meta.proofs).toMatchObject([{ public: known.body.public }]);
    expect(isVerified(answer.body)).toBe(true);
    const other = await sdkRequest('GET', '/signers/mint');
    expect(other).toMatchObject({ status: 404, body: { data: { detail: 'Signer not found' } } });
  });

  test.each(['/bridges/mint', '/bridges/luid'])('a bridge by %s', async (path) => {
    const answer = await sdkRequest('GET', path.replace('luid', encodeURIComponent(scene.bridge.luid)));
    api.check.assert('GET', '/v2/bridges/mint', answer);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        luid: scene.bridge.luid,
        data: { handle: 'mint', schema: 'rest', config: { server: 'https://hooks.example/in' } },
        meta: { status: 'active' },
      },
    });
    expect(isVerified(answer.body)).toBe(true);
  });

  test('no bridge without a token, without the action, of another ledger, or with a secret in its address', async () => {
    const unsigned = await ask(api.url, 'GET', '/v2/bridges/mint', { headers: { 'x-ledger': 'acme' } });
    expect(unsigned).toMatchObject({ status: 422, body: { data: { reason: 'crypto.signature-missing' } } });
    const { tenant, key } = await api.newTenant();
    const theirs = await createMinkaScene(api, { ...tenant, key }, 'theirs');
    expect(await sdkRequest('GET', '/bridges/theirs')).toMatchObject({ status: 404 });
    expect(await sdkRequest('GET', '/bridges/mint', undefined, theirs.signer)).toMatchObject({ status: 401 });
    await api.call('PATCH', `/api/v1/endpoints/${scene.bridge.id}`, {
      body: { url: 'https://hooks.example/in?token=canary' },
    });
    expect((await sdkRequest('GET', '/bridges/mint')).text).not.toContain('canary');
  });

  test('refuses parameters that a read does not have', async () => {
    for (const path of ['', '/signers/system', '/bridges/mint'])
      expect(await sdkRequest('GET', `${path}?x=1`)).toMatchObject({
        status: 422,
        body: { data: { reason: 'record.schema-invalid' } },
      });
  });
});

describe('the SDK lists', () => {
  test.each<[string, (all: string[]) => string, number[]]>([
    ['an array under $in', ([a, b]) => `data.handle.$in[]=${a}&data.handle.$in[]=${b}`, [0, 1]],
    ['an array in an object', ([a, , c]) => `data.handle.$in.0=${a}&data.handle.$in.1=${c}`, [0, 2]],
    ['an array of one', ([a]) => `data.handle.$in.0=${a}`, [0]],
    ['an array of a path alone', ([a, b]) => `data.handle[]=${a}&data.handle[]=${b}`, [0, 1]],
    ['an array under $nin', ([a, b]) => `data.handle.$nin[]=${a}&data.handle.$nin.1=${b}`, [2]],
    ['both spellings together', ([a, b]) => `data.handle.$in=${a}&data.handle.$in[]=${b}`, [0, 1]],
    ['a time', () => 'meta.moment.$gte=1970-01-01T00:00:00.000Z&meta.status.$in.0=failed', [0, 1, 2]],
    ['pages', () => 'page.index=0&page.limit=2&meta.status=failed', [1, 2]],
    ['ids in upper case', ([a]) => `data.handle=${a?.toUpperCase()}`, [0]],
    ['ids in upper case, in arrays', ([, b]) => `data.handle.$in[]=${b?.toUpperCase()}`, [1]],
    ['an order of ids in upper case', ([a]) => `data.handle.$lte=${a?.toUpperCase()}`, [0]],
    ['a text that is no id', () => 'data.handle.$in[]=nobody', []],
  ])('by %s', async (_, query, found) => {
    const answer = await sdkRequest('GET', `/bridges/mint/events?${query(ids)}`);
    expect(answer.status).toBe(200);
    expect(handlesIn(answer)).toEqual(found.map((index) => ids[index]).sort());
  });

  test.each([
    'meta.status.$regex[]=f',
    'meta.status.$eq.0=failed',
    'page.limit[]=1',
    'data.other[]=x',
    '[]=x',
    '.0=x',
  ])('refuses %s, which is no list', async (query) => {
    expect(await sdkRequest('GET', `/bridges/mint/events?${query}`)).toMatchObject({
      status: 422,
      body: { data: { reason: 'record.schema-invalid' } },
    });
  });

  test('has a comma in an entry of an array for a part of it', async () => {
    const split = await sdkRequest('GET', '/bridges/mint/events?meta.status.$in=failed,pending');
    expect(handlesIn(split).length).toBe(3);
    const whole = await sdkRequest('GET', '/bridges/mint/events?meta.status.$in[]=failed,pending');
    expect(handlesIn(whole)).toEqual([]);
  });
});

describe('the SDK retries', () => {
  test('with a moment beside the proofs, and a token over the whole request', async () => {
    const before = api.poked.started.length;
    const answer = await sdkRequest('POST', '/bridges/mint/events/retry', built({ maxAge: 0 }));
    expect(answer).toMatchObject({ status: 200, text: '""' });
    expect(api.poked.started.length).toBe(before + 1);
  });

  test('one event by its id in upper case', async () => {
    const answer = await sdkRequest(
      'POST',
      '/bridges/mint/events/retry',
      built({ handle: ids[0]?.toUpperCase() }),
    );
    expect(answer).toMatchObject({ status: 200, text: '""' });
    const { rows } = await api.database.pool.query(
      'select selection from operations order by id desc limit 1',
    );
    expect(rows[0].selection.filter.deliveryIds).toEqual([ids[0]]);
  });

  test('with nothing else beside the proofs', async () => {
    const body = built({ maxAge: 0 });
    for (const meta of [
      { ...body.meta, moment: '' },
      { ...body.meta, moment: 1 },
      { ...body.meta, status: 'x' },
    ])
      expect(await sdkRequest('POST', '/bridges/mint/events/retry', { ...body, meta })).toMatchObject({
        status: 422,
        body: { data: { reason: 'record.schema-invalid' } },
      });
  });
});

describe('the SDK registers', () => {
  test('signers with a format', async () => {
    const made = await api.call('POST', '/api/v1/signers', {
      body: { ...registrationOf(newTestSigner('formatted'), 'acme'), format: 'ed25519-raw' },
    });
    expect(made.status).toBe(201);
    const other = await api.call('POST', '/api/v1/signers', {
      body: { ...registrationOf(newTestSigner('other'), 'acme'), format: 'pem' },
    });
    expect(other).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/format' }] } });
  });

  test.each([
    [{ signer: { public: 'KEY' } }, true],
    [{ signer: { public: 'KEY', format: 'ed25519-raw' } }, true],
    [{ signer: { handle: 'mint' } }, true],
    [{ signer: { handle: 'mint', public: 'KEY' } }, true],
    [{ signer: { handle: 'teller', public: 'KEY' } }, false],
    [{ signer: { $in: [{ public: 'KEY' }, 'teller'] } }, true],
    [{ signer: { $in: [{ handle: 'teller' }] } }, false],
    [{ bearer: { $signer: { public: 'KEY' } } }, true],
    [{ bearer: { $signer: { $in: ['teller', { handle: 'mint' }] } } }, true],
    [{ bearer: { $signer: { handle: 'teller' } } }, false],
    [{ bearer: { public: 'KEY' } }, true],
  ])('a rule for %j, which grants a read: %s', async (rule, granted) => {
    const { tenant, key } = await api.newTenant();
    const own = await createMinkaScene(api, { ...tenant, key }, 'ruled', { rules: [] });
    const asked = JSON.parse(JSON.stringify(rule).replaceAll('KEY', own.signer.public));
    await own.allow({ action: 'read', record: 'bridge', ...asked });
    const shown = await api.call('GET', '/api/v1/access-rules', { key });
    expect(shown.body.items[0]).toMatchObject(asked);
    const answer = await ask(api.url, 'GET', '/v2/bridges/ruled', {
      headers: {
        authorization: `Bearer ${tokenOf(own.signer, { aud: tenant.handle })}`,
        'x-ledger': tenant.handle,
      },
    });
    expect(answer.status).toBe(granted ? 200 : 403);
  });

  test.each([
    { signer: {} },
    { signer: { format: 'ed25519-raw' } },
    { bearer: { sub: 'x' } },
    { signer: { $in: [] } },
    { signer: { handle: 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=' } },
    { signer: { public: 'mint' } },
    { bearer: { $signer: { public: 'mint' } } },
    { signer: { $in: ['mint', { handle: 'system' }] } },
  ])('no rule that names nobody, or grants nothing: %j', async (rule) => {
    const refused = await api.call('POST', '/api/v1/access-rules', { body: { action: 'read', ...rule } });
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('a delivery that a disabled bridge missed', () => {
  test('is retried once the bridge is enabled, and left alone before; others that were ignored are left alone', async () => {
    const { tenant, key } = await api.newTenant();
    const own = await createMinkaScene(api, { ...tenant, key }, 'missed');
    const event = async (id: string) =>
      (await api.call('POST', '/api/v1/events', { key, body: { id, type: 'a', payload: 1 } })).body.eventId;
    const deliveryOf = async (eventId: string) =>
      (await api.call('GET', `/api/v1/events/${eventId}`, { key })).body.deliveries[0]?.id;
    const path = `/api/v1/endpoints/${own.bridge.id}`;
    await api.call('POST', `${path}/disable`, { key });
    const missed = await deliveryOf(await event('missed'));
    expect((await api.call('GET', `/api/v1/deliveries/${missed}`, { key })).body).toMatchObject({
      state: 'ignored',
      executions: [{ reason: 'endpoint_disabled' }],
    });

    const states = async () => {
      const { rows } = await api.database.pool.query(
        `select selection->'filter' as filter from operations where tenant_id = $1 order by id desc limit 1`,
        [tenant.id],
      );
      return rows[0].filter;
    };
    expect((await own.retry({ maxAge: 0 })).status).toBe(200);
    expect(await states()).not.toHaveProperty('ignoredFor');

    await api.call('POST', `${path}/enable`, { key });
    expect((await own.retry({ handle: api.uuid(missed) })).status).toBe(200);
    expect((await api.call('GET', `/api/v1/deliveries/${missed}`, { key })).body).toMatchObject({
      state: 'pending',
      executions: [{ state: 'ignored' }, { state: 'queued' }],
    });
    expect((await own.retry({ maxAge: 60 })).status).toBe(200);
    expect(await states()).toMatchObject({
      state: ['failed', 'pending', 'ignored'],
      ignoredFor: ['endpoint_disabled'],
    });
  });
});

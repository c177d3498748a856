import { beforeAll, describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';
import { useApi } from '../../support/api/use-api.ts';
import {
  ask,
  newTestSigner,
  type RawAnswer,
  registrationOf,
  sha256,
  signed,
  type TestSigner,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../../support/surfaces/minka-scene.ts';

const api = useApi();
let scene: MinkaScene;

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key });
});

const PATH = '/v2/bridges/mint-bridge/events';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const reasonOf = ({ status, body, text }: RawAnswer) =>
  status === 200
    ? text === '""'
      ? 'retried'
      : 'listed'
    : `${status} ${body.data.reason}: ${body.data.detail}`;

/** A tenant of its own, whose signer may do nothing yet. */
async function closedScene(handle?: string): Promise<MinkaScene> {
  const { tenant, key } = await api.newTenant(handle);
  const made = await createMinkaScene(api, { ...tenant, key });
  const { body } = await api.call('GET', '/api/v1/access-rules', { key });
  for (const { id } of body.items) await api.call('DELETE', `/api/v1/access-rules/${id}`, { key });
  return made;
}

function list(token: string | undefined, headers: Record<string, string> = {}, path = PATH) {
  return ask(api.url, 'GET', path, { headers: { ...(token ? bearer(token) : {}), ...headers } });
}

describe('signers', () => {
  test('are registered with a tenant, listed and removed, and shown without secrets', async () => {
    const signer = newTestSigner('teller');
    const made = await api.call('POST', '/api/v1/signers', {
      body: registrationOf(signer, 'acme'),
    });
    expect(made).toMatchObject({
      status: 201,
      body: { id: expect.stringMatching(/^sgn_/), handle: 'teller', public: signer.public, provedBy: 'key' },
    });
    expect(reasonOf(await scene.retry({}, { body: signed(signer, {}) }))).toBe('retried');
    const listed = await api.call('GET', '/api/v1/signers?limit=1');
    expect(listed.body.items).toEqual([expect.objectContaining({ handle: 'teller' })]);
    expect(listed.body.nextCursor).not.toBeNull();
    const next = await api.call('GET', `/api/v1/signers?limit=1&cursor=${listed.body.nextCursor}`);
    expect(next.body.items).toEqual([expect.objectContaining({ handle: 'mint' })]);
    expect((await api.call('DELETE', `/api/v1/signers/${made.body.id}`)).status).toBe(204);
    expect((await api.call('DELETE', `/api/v1/signers/${made.body.id}`)).status).toBe(404);
    expect(reasonOf(await scene.retry({}, { body: signed(signer, {}) }))).toBe(
      '404 record.not-found: Signer not found',
    );
    expect(reasonOf(await list(tokenOf(signer)))).toBe('401 auth.unauthorized: Invalid token.');
  });

  test('have a handle and a key that are unique within the tenant', async () => {
    const once = newTestSigner('once');
    const register = (signer: TestSigner) =>
      api.call('POST', '/api/v1/signers', { body: registrationOf(signer, 'acme') });
    expect((await register(once)).status).toBe(201);
    for (const again of [once, { ...once, handle: 'twice' }, newTestSigner('once')])
      expect((await register(again)).body.code).toBe('handle_taken');
  });

  test.each([
    ['system', undefined],
    ['any', undefined],
    ['with space', undefined],
    ['.', undefined],
    ['..', undefined],
    ['', undefined],
    ['fine', 'bm90IDMyIGJ5dGVz'],
    ['fine', `${'A'.repeat(42)}B=`],
    ['fine', 'x'.repeat(44)],
  ])('cannot be called %s with the key %s', async (handle, publicKey = newTestSigner().public) => {
    const answer = await api.call('POST', '/api/v1/signers', { body: { handle, public: publicKey } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test('of another tenant can neither be removed nor made, and need the scope write:keys', async () => {
    const other = await api.newTenant();
    const { body } = await api.call('GET', '/api/v1/signers');
    const path = `/api/v1/signers/${body.items[0].id}`;
    expect((await api.call('DELETE', path, { key: other.key })).status).toBe(404);
    const foreign = { ...registrationOf(newTestSigner('x'), 'acme'), tenantId: 'acme' };
    expect((await api.call('POST', '/api/v1/signers', { key: other.key, body: foreign })).status).toBe(404);
    expect((await api.call('POST', '/api/v1/signers', { key: api.adminKey, body: foreign })).status).toBe(
      201,
    );
    const weak = await api.newKey(api.tenant.id, ['write:deliveries']);
    expect((await api.call('GET', '/api/v1/signers', { key: weak })).status).toBe(403);
    expect((await api.call('GET', '/api/v1/access-rules', { key: weak })).status).toBe(403);
  });
});

describe('a key proves that it is the tenant’s', () => {
  const post = (body: object, key = api.key) => api.call('POST', '/api/v1/signers', { key, body });

  test('by its signature over tenant and handle, the tenant by any of its names', async () => {
    const { body } = await api.call('GET', '/api/v1/tenants/acme', { key: api.adminKey });
    for (const [n, tenant] of ['acme', api.tenant.id, body.id].entries())
      expect((await post(registrationOf(newTestSigner(`proved-${n}`), tenant))).body).toMatchObject({
        provedBy: 'key',
      });
  });

  test('and nothing else proves it', async () => {
    const signer = newTestSigner('unproved');
    const right = registrationOf(signer, 'acme');
    const { tenant, key } = await api.newTenant();
    const { proof: _, ...without } = right;
    const wrong: [object, string?][] = [
      [without],
      [{ ...right, proof: registrationOf(newTestSigner('unproved'), 'acme').proof }],
      // Of another tenant, handle or key: a proof that somebody has seen proves nothing of theirs.
      [right, key],
      [{ ...right, proof: registrationOf(signer, tenant.handle).proof }],
      [{ ...right, handle: 'another' }],
      [{ ...right, public: newTestSigner().public }],
      // Its signature as a client of the ledger is no proof.
      [{ ...right, proof: signed(signer, { handle: 'unproved', tenant: 'acme' }).meta.proofs[0]?.result }],
      [{ ...right, proof: Buffer.alloc(64).toString('base64') }],
      [{ ...right, proof: right.proof.slice(0, 40) }],
      [{ ...right, proof: '' }],
    ];
    for (const [body, by] of wrong)
      expect(await post(body, by)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', errors: [{ pointer: '#/proof' }] },
      });
    expect((await post(right)).status).toBe(201);
  });

  test('so that a stranger’s registration never makes a call of its owner ambiguous', async () => {
    const stranger = await api.newTenant();
    const { signer } = scene;
    const retry = () => ask(api.url, 'POST', `${PATH}/retry`, { body: signed(signer, {}) });
    const { proof: _, ...copied } = registrationOf({ ...signer, handle: 'mine-now' }, stranger.tenant.handle);
    expect((await post(copied, stranger.key)).status).toBe(400);
    // As it could be registered before proofs were asked for.
    await api.database.pool.query('insert into signers (tenant_id, handle, public_key) values ($1, $2, $3)', [
      stranger.tenant.id,
      'mine-before',
      Buffer.from(signer.public, 'base64'),
    ]);
    expect(reasonOf(await retry())).toBe('retried');
    expect(reasonOf(await list(tokenOf(signer)))).toBe('listed');
  });

  test('a signer that was registered without is proved by registering it again', async () => {
    const [signer, stranger] = [newTestSigner('older'), await api.newTenant()];
    for (const tenantId of [api.tenant.id, stranger.tenant.id])
      await api.database.pool.query(
        'insert into signers (tenant_id, handle, public_key) values ($1, $2, $3)',
        [tenantId, 'older', Buffer.from(signer.public, 'base64')],
      );
    const retry = () => ask(api.url, 'POST', `${PATH}/retry`, { body: signed(signer, {}) });
    expect(reasonOf(await retry())).toBe('404 api.route-not-found: Active ledger is not set!');
    const proved = await post(registrationOf(signer, 'acme'));
    expect(proved).toMatchObject({ status: 201, body: { handle: 'older', provedBy: 'key' } });
    expect(reasonOf(await retry())).toBe('retried');
    expect((await post(registrationOf(signer, 'acme'))).body.code).toBe('handle_taken');
  });

  test('the installation vouches for a key without one', async () => {
    const { handle, public: publicKey } = newTestSigner('vouched-for');
    const made = await post({ handle, public: publicKey, tenantId: 'acme' }, api.adminKey);
    expect(made).toMatchObject({ status: 201, body: { provedBy: 'installation' } });
    const wrong = { ...registrationOf(newTestSigner('wrong'), 'elsewhere'), tenantId: 'acme' };
    expect((await post(wrong, api.adminKey)).status).toBe(400);
  });

  test('a token by a handle means the signer of its ledger, however many namesakes there are', async () => {
    for (let n = 0; n < 25; n += 1) {
      const { tenant, key } = await api.newTenant();
      expect((await post(registrationOf(newTestSigner('mint-2'), tenant.handle), key)).status).toBe(201);
    }
    const signer = newTestSigner('mint-2');
    await post(registrationOf(signer, 'acme'));
    for (const aud of ['acme', api.tenant.id, ['elsewhere', 'acme']])
      expect(reasonOf(await list(tokenOf(signer, { aud }, { kid: 'mint-2' })))).toBe('listed');
    // Its handle alone says nothing of the ledger.
    const system = (await api.call('GET', '/api/v1/signers/system')).body.public;
    const token = tokenOf(signer, { aud: system }, { kid: 'mint-2' });
    expect(reasonOf(await list(token))).toBe('401 auth.unauthorized: Invalid token.');
    expect(reasonOf(await list(token, { 'x-ledger': 'acme' }))).toBe('listed');
  });
});

describe('access rules', () => {
  test('a tenant without rules grants nothing', async () => {
    const its = await closedScene();
    const ledger = { 'x-ledger': its.tenant.handle };
    expect(reasonOf(await its.retry({}))).toBe('403 auth.forbidden: Request is not authorized');
    expect(reasonOf(await list(tokenOf(its.signer, { aud: its.tenant.handle }), ledger))).toBe(
      '403 auth.forbidden: Request is not authorized',
    );
  });

  const other = newTestSigner('other');
  const rules: [Record<string, unknown>, { retries: string[]; lists: string[] }][] = [
    [{ action: 'retry-event' }, { retries: ['mint', 'other'], lists: [] }],
    [{ action: 'query-event' }, { retries: [], lists: ['mint', 'other'] }],
    [{ action: 'any' }, { retries: ['mint', 'other'], lists: ['mint', 'other'] }],
    [
      { action: { $in: ['query-event', 'retry-event'] } },
      { retries: ['mint', 'other'], lists: ['mint', 'other'] },
    ],
    [
      { action: 'any', record: 'bridge' },
      { retries: ['mint', 'other'], lists: ['mint', 'other'] },
    ],
    [
      { action: 'any', record: 'any' },
      { retries: ['mint', 'other'], lists: ['mint', 'other'] },
    ],
    [
      { action: 'retry-event', signer: 'mint' },
      { retries: ['mint'], lists: [] },
    ],
    [
      { action: 'retry-event', signer: other.public },
      { retries: ['other'], lists: [] },
    ],
    [
      { action: 'any', signer: 'mint' },
      { retries: ['mint'], lists: ['mint'] },
    ],
    [
      { action: 'any', signer: 'any' },
      { retries: ['mint', 'other'], lists: ['mint', 'other'] },
    ],
    [
      { action: 'any', signer: { $in: ['mint', 'nobody'] } },
      { retries: ['mint'], lists: ['mint'] },
    ],
    [
      { action: 'any', bearer: 'other' },
      { retries: [], lists: ['other'] },
    ],
    [
      { action: 'any', bearer: 'any' },
      { retries: [], lists: ['mint', 'other'] },
    ],
    [
      { action: 'any', bearer: { $in: [other.public] } },
      { retries: [], lists: ['other'] },
    ],
    [
      { action: 'query-event', signer: 'mint', bearer: 'other' },
      { retries: [], lists: [] },
    ],
  ];
  test.each(rules)('%j', async (rule, { retries, lists }) => {
    const its = await closedScene();
    await its.register(other);
    const id = await its.allow(rule);
    const shown = await api.call('GET', '/api/v1/access-rules', { key: its.tenant.key });
    expect(shown.body.items).toEqual([{ id, ...rule, createdAt: expect.any(String) }]);
    for (const signer of [its.signer, other]) {
      const retried = await its.retry({}, { body: signed(signer, {}) });
      expect(retried.status).toBe(retries.includes(signer.handle) ? 200 : 403);
      const listed = await list(tokenOf(signer, { aud: its.tenant.handle }), {
        'x-ledger': its.tenant.handle,
      });
      expect(listed.status).toBe(lists.includes(signer.handle) ? 200 : 403);
    }
  });

  test('a retry that needs a bearer is granted to its token, together with the proof', async () => {
    const its = await closedScene();
    const clerk = newTestSigner('clerk');
    await its.register(clerk);
    await its.allow({ action: 'retry-event', signer: 'mint', bearer: 'clerk' });
    const as = (token: TestSigner) => bearer(tokenOf(token, { aud: its.tenant.handle }));
    expect((await its.retry({})).status).toBe(403);
    expect((await its.retry({}, { headers: as(its.signer) })).status).toBe(403);
    expect((await its.retry({}, { headers: as(clerk) })).status).toBe(200);
    expect((await its.retry({}, { body: signed(clerk, {}), headers: as(clerk) })).status).toBe(403);
  });

  test('grant nothing for a token’s word on its subject', async () => {
    const its = await closedScene();
    await its.register(other);
    await its.allow({ action: 'any', bearer: 'mint' });
    const token = tokenOf(other, { aud: its.tenant.handle, sub: 'mint', iss: 'mint' });
    expect((await list(token, { 'x-ledger': its.tenant.handle })).status).toBe(403);
  });

  test('are refused where they are misspelt, and once there are too many', async () => {
    const its = await closedScene();
    for (const rule of [
      {},
      { action: 'retry-events' },
      { action: { $in: [] } },
      { action: 'any', record: 'wallet' },
      { action: 'any', signers: 'mint' },
      { action: 'any', signer: { $eq: 'mint' } },
      { action: 'any', signer: '\0' },
    ])
      expect(
        await api.call('POST', '/api/v1/access-rules', { key: its.tenant.key, body: rule }),
      ).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    await api.database.pool.query(
      `insert into access_rules (tenant_id, rule) select $1, '{"action":"any"}' from generate_series(1, 500)`,
      [its.tenant.id],
    );
    expect(
      (await api.call('POST', '/api/v1/access-rules', { key: its.tenant.key, body: { action: 'any' } })).body
        .code,
    ).toBe('state_conflict');
  });
});

describe('x-ledger names the tenant', () => {
  test.each(['handle', 'uuid', 'TypeID'])('by %s', async (spelling) => {
    const { body } = await api.call('GET', '/api/v1/tenants/acme', { key: api.adminKey });
    const ledger = { handle: 'acme', uuid: api.tenant.id, TypeID: body.id }[spelling] ?? '';
    expect(reasonOf(await scene.retry({}, { headers: { 'x-ledger': ledger } }))).toBe('retried');
  });

  test('and is optional: then it is the only tenant of the signer', async () => {
    const retry = () => ask(api.url, 'POST', `${PATH}/retry`, { body: signed(scene.signer, {}) });
    expect(reasonOf(await retry())).toBe('retried');
    expect(reasonOf(await list(tokenOf(scene.signer)))).toBe('listed');
    expect(reasonOf(await list(tokenOf(scene.signer, {}, { kid: 'mint' })))).toBe('listed');
  });

  test('several tenants without it: "Active ledger is not set!"', async () => {
    const shared = newTestSigner('shared');
    const [one, two] = [await closedScene('ledger-one'), await closedScene('ledger-two')];
    for (const each of [one, two]) {
      await each.register(shared);
      await each.allow({ action: 'any' });
    }
    const body = signed(shared, {});
    const unset = '404 api.route-not-found: Active ledger is not set!';
    expect(reasonOf(await ask(api.url, 'POST', `${PATH}/retry`, { body }))).toBe(unset);
    expect(reasonOf(await list(tokenOf(shared, { aud: 'ledger-one' })))).toBe(unset);
    for (const each of [one, two]) {
      expect(reasonOf(await each.retry({}, { body }))).toBe('retried');
      const token = tokenOf(shared, { aud: each.tenant.handle });
      expect(reasonOf(await list(token, { 'x-ledger': each.tenant.handle }))).toBe('listed');
    }
    // A second signer that only one of them knows tells which one is meant.
    const both = signed([shared, one.signer], {});
    expect(reasonOf(await ask(api.url, 'POST', `${PATH}/retry`, { body: both }))).toBe('retried');
  });

  test('a ledger that does not exist and one that does not know the signer look alike', async () => {
    const other = await closedScene();
    const answers = await Promise.all(
      ['no-such-ledger', other.tenant.handle, other.tenant.id, 'redrive.platform', 'Ünknown'.slice(1)].map(
        (ledger) => scene.retry({}, { headers: { 'x-ledger': ledger } }),
      ),
    );
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(['404 record.not-found: Signer not found']));
    expect(new Set(answers.map(({ body }) => body.hash)).size).toBe(1);
  });

  test('a proof that names another signer than its key is not found', async () => {
    const body = signed(scene.signer, {});
    const withName = (signer: string) => ({
      ...body,
      meta: { proofs: [{ signer, ...body.meta.proofs[0] }] },
    });
    expect(reasonOf(await scene.retry({}, { body: withName('mint') }))).toBe('retried');
    expect(reasonOf(await scene.retry({}, { body: withName('system') }))).toBe(
      '404 record.not-found: Signer not found',
    );
  });
});

describe('a bridge is named', () => {
  test.each([
    'handle',
    'luid',
    'luid as %24',
    'schema:handle',
    'handle@parent',
    'schema:handle@parent',
    'handle@uuid',
  ])('by %s', async (form) => {
    const { luid } = scene.bridge;
    const name = {
      handle: 'mint-bridge',
      luid,
      'luid as %24': luid.replace('$', '%24'),
      'schema:handle': 'rest:mint-bridge',
      'handle@parent': 'mint-bridge@acme',
      'schema:handle@parent': 'rest:mint-bridge@acme',
      'handle@uuid': `mint-bridge@${api.tenant.id}`,
    }[form] as string;
    expect(reasonOf(await scene.retry({}, { bridge: name }))).toBe('retried');
    expect(reasonOf(await list(tokenOf(scene.signer), {}, `/v2/bridges/${name}/events`))).toBe('listed');
  });

  test('by a luid that is stored, unique, and $brg. with 17 characters, for every endpoint', async () => {
    const { rows } = await api.database.pool.query('select luid from endpoints');
    for (const { luid } of rows) expect(luid).toMatch(/^\$brg\.[A-Za-z0-9_-]{17}$/);
    expect(new Set(rows.map(({ luid }) => luid)).size).toBe(rows.length);
    const { body } = await api.call('GET', '/api/v1/endpoints');
    expect(body.items[0].luid).toBe(scene.bridge.luid);
  });
});

describe('a token', () => {
  const INVALID = '401 auth.unauthorized: Invalid token.';
  const now = Math.floor(Date.now() / 1_000);

  test('is signed with EdDSA; kid is the public key or the handle of the signer', async () => {
    for (const kid of [scene.signer.public, 'mint'])
      for (const headers of [{}, { 'x-ledger': 'acme' }])
        expect(reasonOf(await list(tokenOf(scene.signer, { jti: 'a' }, { kid }), headers))).toBe('listed');
  });

  test('is meant for the ledger, by handle or id, or for the key of the installation', async () => {
    const system = (await api.call('GET', '/api/v1/signers/system')).body.public;
    for (const aud of ['acme', api.tenant.id, system, ['other', 'acme']])
      expect(reasonOf(await list(tokenOf(scene.signer, { aud })))).toBe('listed');
    for (const aud of ['globex', [], '', 5, null])
      expect(reasonOf(await list(tokenOf(scene.signer, { aud })))).toBe(INVALID);
  });

  const bad: [string, () => string][] = [
    ['is none', () => 'abc'],
    ['is three parts of nothing', () => 'a.b.c'],
    ['has another algorithm', () => tokenOf(scene.signer, {}, { alg: 'none' })],
    ['says HS256', () => tokenOf(scene.signer, {}, { alg: 'HS256' })],
    ['has no kid', () => tokenOf(scene.signer, {}, { kid: undefined })],
    ['has a kid that is no text', () => tokenOf(scene.signer, {}, { kid: 5 })],
    ['has a kid with a NUL', () => tokenOf(scene.signer, {}, { kid: 'mint\0' })],
    ['has the kid of a stranger', () => tokenOf(scene.signer, {}, { kid: newTestSigner().public })],
    ['has the kid of nobody', () => tokenOf(scene.signer, {}, { kid: 'nobody' })],
    ['is signed by a stranger', () => tokenOf(newTestSigner(), {}, { kid: scene.signer.public })],
    ['is signed by a stranger who uses the handle', () => tokenOf(newTestSigner(), {}, { kid: 'mint' })],
    ['has expired', () => tokenOf(scene.signer, { exp: now - 60 })],
    ['is not valid yet', () => tokenOf(scene.signer, { nbf: now + 600 })],
    ['was issued in the future', () => tokenOf(scene.signer, { iat: now + 600, exp: now + 700 })],
    ...(['iss', 'sub', 'aud', 'iat', 'exp'] as const).map((claim): [string, () => string] => [
      `has no ${claim}`,
      () => tokenOf(scene.signer, { [claim]: undefined }),
    ]),
    ['has a jti that is no text', () => tokenOf(scene.signer, { jti: 5 })],
    ['has an iss that is no text', () => tokenOf(scene.signer, { iss: {} })],
    ['is changed', () => tokenOf(scene.signer).replace(/\.(.)/, (_, c) => `.${c === 'a' ? 'b' : 'a'}`)],
    ['has critical headers', () => tokenOf(scene.signer, {}, { crit: ['x'], x: 1 })],
  ];
  test.each(bad)('that %s is refused, for a list and for a retry', async (_, token) => {
    expect(reasonOf(await list(token()))).toBe(INVALID);
    expect(reasonOf(await scene.retry({}, { headers: bearer(token()) }))).toBe(INVALID);
  });

  test.each(['', 'Basic abc', 'Bearer', 'Bearer a b', 'rdk_abc'])(
    'is expected as a bearer: %j is refused',
    async (authorization) => {
      expect(reasonOf(await list(undefined, { authorization }))).toBe(INVALID);
    },
  );

  test('is not needed for a retry, and needed for a list: without it there is no signature', async () => {
    expect(reasonOf(await scene.retry({}))).toBe('retried');
    expect(reasonOf(await list(undefined))).toBe(
      '422 crypto.signature-missing: Ledger mutations must be signed.',
    );
  });

  test('of an API key is no token', async () => {
    expect(reasonOf(await list(api.key))).toBe(INVALID);
  });
});

describe('hsh, which is validated whenever it is sent', () => {
  const INVALID = '401 auth.unauthorized: Invalid token.';
  const hshOf = (request: object, names: string[] = []) =>
    `${sha256(canonicalJson(request))}:${names.join(',')}`;

  test('binds a list to its method and URL, absolute or as the path', async () => {
    const path = `${PATH}?page.limit=5`;
    for (const url of [`${api.url}${path}`, path]) {
      const hsh = hshOf({ method: 'GET', url, body: null, headers: null });
      expect(reasonOf(await list(tokenOf(scene.signer, { hsh }), {}, path))).toBe('listed');
      expect(reasonOf(await list(tokenOf(scene.signer, { hsh }), {}, `${PATH}?page.limit=6`))).toBe(INVALID);
      expect(reasonOf(await list(tokenOf(scene.signer, { hsh: hsh.slice(0, 64) }), {}, path))).toBe('listed');
    }
    const post = hshOf({ method: 'POST', url: path, body: null, headers: null });
    expect(reasonOf(await list(tokenOf(scene.signer, { hsh: post }), {}, path))).toBe(INVALID);
  });

  test('binds a retry to its body', async () => {
    const body = signed(scene.signer, { maxAge: 5 });
    const url = `${api.url}${PATH}/retry`;
    const hsh = hshOf({ method: 'POST', url, body, headers: null });
    const headers = bearer(tokenOf(scene.signer, { hsh }));
    expect(reasonOf(await scene.retry({}, { body, headers }))).toBe('retried');
    expect(reasonOf(await scene.retry({ maxAge: 6 }, { headers }))).toBe(INVALID);
  });

  test('protects the headers that it names', async () => {
    const protectedHeaders = { 'x-ledger': 'acme', 'x-received': 'yes' };
    const names = Object.keys(protectedHeaders);
    const hsh = hshOf({ method: 'GET', url: PATH, body: null, headers: protectedHeaders }, names);
    const token = tokenOf(scene.signer, { hsh });
    expect(reasonOf(await list(token, protectedHeaders))).toBe('listed');
    expect(reasonOf(await list(token, { ...protectedHeaders, 'x-received': 'no' }))).toBe(INVALID);
    expect(reasonOf(await list(token, { 'x-ledger': 'acme' }))).toBe(INVALID);
    expect(reasonOf(await list(token, { ...protectedHeaders, 'x-more': '1' }))).toBe('listed');
  });

  test.each([
    5,
    null,
    '',
    'abc',
    `${'a'.repeat(64)}:X-Ledger`,
    `${'a'.repeat(64)}:`,
    `${'A'.repeat(64)}:`,
    ['a'],
  ])('is refused where it is %j', async (hsh) => {
    expect(reasonOf(await list(tokenOf(scene.signer, { hsh })))).toBe(INVALID);
  });
});

import { beforeAll, describe, expect, test } from '@jest/globals';
import { createPool } from '../../../src/store/db/pool.ts';
import { startTestApi, type TestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import {
  ask,
  isVerified,
  newTestSigner,
  printedText,
  type RawAnswer,
  signed,
  signedWithoutMoment,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../../support/surfaces/minka-scene.ts';

const api = useApi();
let scene: MinkaScene;
let systemKey: string;

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key });
  systemKey = (await api.call('GET', '/api/v1/signers/system', { key: undefined })).body.public;
});

/** An error must be documented, signed by the installation, and have exactly the members of the document, in their order. */
function expectError(
  answer: RawAnswer,
  status: number,
  reason: string,
  detail: string | RegExp,
  by = systemKey,
): void {
  expect({ status: answer.status, reason: answer.body?.data?.reason }).toEqual({ status, reason });
  if (typeof detail === 'string') expect(answer.body.data.detail).toBe(detail);
  else expect(answer.body.data.detail).toMatch(detail);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(Object.keys(answer.body)).toEqual(['hash', 'data', 'meta']);
  expect(Object.keys(answer.body.data).filter((name) => name !== 'custom')).toEqual(['reason', 'detail']);
  expect(Object.keys(answer.body.meta)).toEqual(['proofs']);
  expect(answer.body.meta.proofs).toHaveLength(1);
  const [proof] = answer.body.meta.proofs;
  expect(Object.keys(proof)).toEqual(['signer', 'method', 'digest', 'public', 'result', 'custom']);
  expect(proof).toMatchObject({ signer: 'system', method: 'ed25519-v2', public: by });
  expect(Object.keys(proof.custom)).toEqual(['moment']);
  expect(Math.abs(Date.parse(proof.custom.moment) - Date.now())).toBeLessThan(60_000);
  expect(isVerified(answer.body)).toBe(true);
}

async function expectPrinted(name: '401' | '403' | '404' | '422' | '500', answer: RawAnswer): Promise<void> {
  const printed = JSON.parse(await printedText(name));
  expect(answer.status).toBe(Number(name));
  expect(answer.body.hash).toBe(printed.hash);
  expect(JSON.stringify(answer.body.data)).toBe(JSON.stringify(printed.data));
  expectError(
    answer,
    Number(name),
    printed.data.reason,
    printed.data.detail,
    answer.body.meta.proofs[0].public,
  );
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('the five printed errors, with exactly the printed data and hashes', () => {
  test('401 auth.unauthorized "Invalid token."', async () => {
    await expectPrinted('401', await scene.retry({}, { headers: bearer('not.a.token') }));
  });

  test('403 auth.forbidden "Request is not authorized"', async () => {
    const other = await createMinkaScene(api, await furnish());
    const { body } = await api.call('GET', '/api/v1/access-rules', { key: other.tenant.key });
    for (const { id } of body.items)
      await api.call('DELETE', `/api/v1/access-rules/${id}`, { key: other.tenant.key });
    await expectPrinted('403', await other.retry({}));
  });

  test('404 record.not-found "Signer not found"', async () => {
    await expectPrinted('404', await scene.retry({}, { body: signed(newTestSigner(), {}) }));
  });

  test('422 record.schema-invalid for a handle that does not match', async () => {
    await expectPrinted('422', await scene.retry({ handle: 'not a handle' }));
  });

  test('500 api.unexpected-error "An unexpected error occurred"', async () => {
    const broken = await startTestApi();
    try {
      const its = await createMinkaScene(broken, { ...broken.tenant, key: broken.key });
      await broken.database.pool.query('alter table access_rules rename column rule to other');
      await expectPrinted('500', await its.retry({}));
      expect(broken.log.join('')).not.toContain(its.signer.public);
    } finally {
      await broken.close();
    }
  });
});

describe('the installation signs', () => {
  test('all JSON answers with its own ed25519 key, which anyone may see', () => {
    expect(Buffer.from(systemKey, 'base64')).toHaveLength(32);
  });

  test('with a key that follows from the master key: the same in every process', async () => {
    const [one, other] = await Promise.all([startTestApi({ sealer: api.sealer }), startTestApi()]);
    try {
      const keyOf = async ({ url }: TestApi) => (await ask(url, 'GET', '/v2/x')).body.meta.proofs[0].public;
      expect(await keyOf(one)).toBe(systemKey);
      expect(await keyOf(other)).not.toBe(systemKey);
    } finally {
      await one.close();
      await other.close();
    }
  });

  test('errors while Postgres is away, too: the key is in memory', async () => {
    const nobody = createPool('postgres://nobody@127.0.0.1:1/nowhere');
    const away = await startTestApi({ pool: nobody, sealer: api.sealer });
    try {
      const path = '/v2/bridges/mint-bridge/events';
      for (const answer of [
        await ask(away.url, 'POST', `${path}/retry`, { body: signed(scene.signer, {}) }),
        await ask(away.url, 'GET', path, { headers: bearer(tokenOf(scene.signer)) }),
      ]) {
        expectError(answer, 500, 'api.unexpected-error', 'An unexpected error occurred');
        expect(answer.headers.get('retry-after')).toBe('2');
      }
      // Refusals that need no look into Postgres are still told.
      expectError(
        await ask(away.url, 'POST', `${path}/retry`, { body: {} }),
        422,
        'record.schema-invalid',
        /must have required property 'hash'/,
      );
      expectError(await ask(away.url, 'GET', '/v2/nothing'), 404, 'api.route-not-found', 'Route not found');
    } finally {
      await nobody.end();
      await away.close();
    }
  });
});

describe('below /v2, before a route is called', () => {
  test.each([
    ['POST', '/v2'],
    ['GET', '/v2/'],
    ['GET', '/v2/nothing'],
    ['POST', '/v2/bridges/x/events'],
    ['GET', '/v2/bridges/x/events/retry'],
    ['DELETE', '/v2/bridges/x/events/retry'],
    ['POST', '/v2/bridges/%ff/events/retry'],
    ['POST', '/v2/bridges/x/events/retry/'],
  ])('%s %s is api.route-not-found', async (method, path) => {
    const body = method === 'POST' ? {} : undefined;
    const answer = await ask(api.url, method, path, body ? { body } : {});
    expectError(answer, 404, 'api.route-not-found', 'Route not found');
  });

  test.each([
    ['no JSON', '{"hash":', {}],
    ['nothing but a NUL', '\0', {}],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), {}],
    ['too deep', '['.repeat(20_000), {}],
    ['too large', `"${'x'.repeat(9 * 1024 * 1024)}"`, {}],
    ['another media type', '{}', { 'content-type': 'text/plain' }],
    ['compressed', '{}', { 'content-encoding': 'gzip' }],
  ])('a body that is %s is api.body-malformed', async (_, body, headers) => {
    const answer = await ask(api.url, 'POST', '/v2/bridges/x/events/retry', { body, headers });
    expectError(answer, 400, 'api.body-malformed', 'Request body is malformed');
  });
});

describe('a schema error lists errors[] as JSON Schema validators do', () => {
  const wrong: [string, unknown, object][] = [
    ['no body', undefined, { instancePath: '', keyword: 'required', params: { missingProperty: 'hash' } }],
    ['an array', [], { instancePath: '', keyword: 'type', params: { type: 'object' } }],
    ['null', null, { instancePath: '', keyword: 'type' }],
    ['no data', { hash: 'a'.repeat(64) }, { keyword: 'required', params: { missingProperty: 'data' } }],
    [
      'a hash that is none',
      { hash: 'xyz', data: {} },
      { instancePath: '/hash', schemaPath: '#/properties/hash/pattern', keyword: 'pattern' },
    ],
    [
      'an unknown member',
      { hash: 'a'.repeat(64), data: {}, luid: 'x' },
      { instancePath: '', keyword: 'additionalProperties', params: { additionalProperty: 'luid' } },
    ],
    [
      'proofs that are no list',
      { hash: 'a'.repeat(64), data: {}, meta: { proofs: {} } },
      { instancePath: '/meta/proofs', keyword: 'type', params: { type: 'array' } },
    ],
    [
      'a proof without a key',
      {
        hash: 'a'.repeat(64),
        data: {},
        meta: { proofs: [{ method: 'ed25519-v2', digest: 'a', result: 'b' }] },
      },
      { instancePath: '/meta/proofs/0', keyword: 'required', params: { missingProperty: 'public' } },
    ],
    [
      'another method',
      {
        hash: 'a'.repeat(64),
        data: {},
        meta: { proofs: [{ method: 'rsa', digest: 'a', public: 'b', result: 'c' }] },
      },
      { instancePath: '/meta/proofs/0/method', keyword: 'enum' },
    ],
  ];
  test.each(wrong)('%s', async (_, body, error) => {
    const answer = await ask(api.url, 'POST', '/v2/bridges/mint-bridge/events/retry', { body });
    expectError(answer, 422, 'record.schema-invalid', /^Schema validator error: /);
    expect(answer.body.data.custom.errors[0]).toMatchObject(error);
    expect(Object.keys(answer.body.data.custom.errors[0])).toEqual([
      'instancePath',
      'schemaPath',
      'keyword',
      'params',
      'message',
    ]);
  });

  test.each([
    ['negative', -1, 'minimum', 'must be >= 0'],
    ['a fraction', 0.5, 'type', 'must be integer'],
    ['a string', '60', 'type', 'must be integer'],
    ['null', null, 'type', 'must be integer'],
    ['infinite', '1e400', 'type', 'must be integer'],
    ['an array', [60], 'type', 'must be integer'],
  ])('maxAge that is %s is refused at /maxAge, also with a handle', async (_, maxAge, keyword, message) => {
    const text = (data: unknown) => JSON.stringify(signed(scene.signer, data)).replace('"1e400"', '1e400');
    for (const data of [{ maxAge }, { maxAge, handle: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f' }]) {
      const answer = await scene.retry(data, { body: text(data) });
      expectError(answer, 422, 'record.schema-invalid', `Schema validator error: data.maxAge ${message}`);
      expect(answer.body.data.custom.errors).toEqual([
        expect.objectContaining({
          instancePath: '/maxAge',
          schemaPath: `#/properties/maxAge/${keyword}`,
          keyword,
        }),
      ]);
    }
  });

  test('unknown members of the data are refused: a misspelt one must not widen the retry', async () => {
    const answer = await scene.retry({ maxage: 5, handel: 'x' });
    expectError(answer, 422, 'record.schema-invalid', /data must NOT have additional properties/);
    expect(answer.body.data.custom.errors).toHaveLength(2);
  });

  test('parameters of the query are refused, for there are none', async () => {
    const answer = await ask(api.url, 'POST', '/v2/bridges/mint-bridge/events/retry?maxAge=5', {
      body: signed(scene.signer, {}),
    });
    expectError(answer, 422, 'record.schema-invalid', /^Schema validator error: query must NOT/);
  });

  test('thousands of faults make a short answer', async () => {
    const data = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`x${n}`, n]));
    const answer = await scene.retry(data);
    expectError(answer, 422, 'record.schema-invalid', /additional properties/);
    expect(answer.text.length).toBeLessThan(2_000);
    const long = await scene.retry({ ['y'.repeat(1_000_000)]: 1 });
    expect(long.text.length).toBeLessThan(2_000);
  });
});

describe('hash, then signature, each with its own reason', () => {
  test('a hash that is not that of the data is crypto.hash-invalid', async () => {
    const body = signed(scene.signer, { maxAge: 60 });
    expectError(
      await scene.retry({}, { body: { ...body, data: { maxAge: 0 } } }),
      422,
      'crypto.hash-invalid',
      `Invalid record hash: ${body.hash}`,
    );
  });

  test('digits in upper case would be a second form of the same request, and are refused', async () => {
    const body = signed(scene.signer, { maxAge: 60 });
    const upper = { ...body, hash: body.hash.toUpperCase() };
    expectError(await scene.retry({}, { body: upper }), 422, 'crypto.hash-invalid', /^Invalid record hash/);
  });

  test('a proof over anything else is crypto.signature-invalid', async () => {
    const body = signed(scene.signer, {});
    const [proof] = body.meta.proofs;
    for (const change of [
      { custom: { moment: '2020-01-01T00:00:00.000Z' } },
      { digest: 'a'.repeat(64) },
      { digest: proof?.digest.toUpperCase() },
      { result: Buffer.alloc(64).toString('base64') },
      { result: 'not base64' },
      { public: newTestSigner().public },
      { public: 'short' },
      { custom: undefined },
    ]) {
      const changed = { ...body, meta: { proofs: [{ ...proof, ...change }] } };
      expectError(
        await scene.retry({}, { body: changed }),
        422,
        'crypto.signature-invalid',
        `Invalid signature for key: ${changed.meta.proofs[0]?.public}`,
      );
    }
  });

  test('every proof must hold', async () => {
    const body = signed([scene.signer, scene.signer], {});
    const broken = {
      ...body,
      meta: { proofs: [body.meta.proofs[0], { ...body.meta.proofs[1], digest: '00' }] },
    };
    expectError(
      await scene.retry({}, { body: broken }),
      422,
      'crypto.signature-invalid',
      /^Invalid signature/,
    );
  });

  test.each([
    ['meta', { meta: undefined }],
    ['proofs', { meta: {} }],
    ['a proof', { meta: { proofs: [] } }],
  ])('a request without %s is crypto.signature-missing, with a token, too', async (_, change) => {
    const body = { ...signed(scene.signer, {}), ...change };
    for (const headers of [{}, bearer(tokenOf(scene.signer))])
      expectError(
        await scene.retry({}, { body, headers }),
        422,
        'crypto.signature-missing',
        'Ledger mutations must be signed.',
      );
  });

  test('the schema is checked before the hash, the hash before the signature, that before the signer', async () => {
    const stranger = signed(newTestSigner(), { maxAge: -1 });
    expect((await scene.retry({}, { body: { ...stranger, hash: 'a'.repeat(64) } })).body.data.reason).toBe(
      'record.schema-invalid',
    );
    const other = signed(newTestSigner(), {});
    const [proof] = other.meta.proofs;
    const unsigned = { ...other, meta: { proofs: [{ ...proof, digest: '' }] } };
    expect((await scene.retry({}, { body: { ...unsigned, hash: 'a'.repeat(64) } })).body.data.reason).toBe(
      'crypto.hash-invalid',
    );
    expect((await scene.retry({}, { body: unsigned })).body.data.reason).toBe('crypto.signature-invalid');
    expect((await scene.retry({}, { body: other, bridge: 'unknown' })).body.data.detail).toBe(
      'Signer not found',
    );
  });
});

describe('a bridge', () => {
  test('that is not there is record.not-found, however it is spelled', async () => {
    const theirs = await createMinkaScene(api, await furnish(), 'their-bridge');
    for (const bridge of [
      'unknown',
      'their-bridge',
      theirs.bridge.luid,
      '$brg.aaaaaaaaaaaaaaaaa',
      '%24brg.aaaaaaaaaaaaaaaaa',
      'mint-bridge@globex',
      `mint-bridge@${theirs.tenant.handle}`,
      'mint%20bridge',
      'a:b:c',
      '@acme',
      'x%00',
      'mint-bridge%00',
      api.uuid((await api.call('GET', '/api/v1/endpoints')).body.items[0].id),
    ])
      expectError(await scene.retry({}, { bridge }), 404, 'record.not-found', 'Bridge not found');
  });

  test('that is deleted is not there any more', async () => {
    const its = await createMinkaScene(api, await furnish());
    await api.call('DELETE', `/api/v1/endpoints/${its.bridge.id}`, { key: its.tenant.key });
    for (const bridge of [its.bridge.handle, its.bridge.luid])
      expectError(await its.retry({}, { bridge }), 404, 'record.not-found', 'Bridge not found');
  });

  test('is looked for only after access', async () => {
    const other = newTestSigner('other');
    const its = await createMinkaScene(api, await furnish());
    await its.register(other);
    const { body } = await api.call('GET', '/api/v1/access-rules', { key: its.tenant.key });
    await api.call('DELETE', `/api/v1/access-rules/${body.items[0].id}`, { key: its.tenant.key });
    await its.allow({ action: 'retry-event', signer: its.signer.handle });
    const answer = await its.retry({}, { body: signed(other, {}), bridge: 'unknown' });
    expectError(answer, 403, 'auth.forbidden', 'Request is not authorized');
  });
});

describe('the rate of a tenant', () => {
  test('that is above its quota is api.rate-limit-exceeded', async () => {
    const limited = await startTestApi({
      rateLimit: { requests: 6, windowSeconds: 86_400 },
      sealer: api.sealer,
    });
    try {
      const its = await createMinkaScene(limited, { ...limited.tenant, key: limited.key });
      let answer = await its.retry({});
      for (let n = 0; n < 6; n += 1)
        answer = await its.retry({}, { body: signedWithoutMoment(its.signer, {}) });
      expectError(answer, 429, 'api.rate-limit-exceeded', 'Rate limit exceeded');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await limited.close();
    }
  });
});

async function furnish(): Promise<{ id: string; handle: string; key: string }> {
  const { tenant, key } = await api.newTenant();
  return { ...tenant, key };
}

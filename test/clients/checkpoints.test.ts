import { beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, type FlattenedJWS, FlattenedSign, generateKeyPair, type JSONWebKeySet } from 'jose';
import { readCheckpoints } from '../../clients/typescript/src/proof/checkpoints.ts';
import { CHECKPOINT_TYPE, checkpointPayload } from '../../src/domain/audit/signed-checkpoint.ts';
import { canonicalJson } from '../../src/domain/json/canonical-json.ts';
import { ADDENDUM_TYPE } from '../../src/domain/proof/addendum-payload.ts';
import { CLOSURE_TYPE } from '../../src/domain/proof/closure-payload.ts';

const CHECKPOINT = {
  tenant: 'ten_01k9z3e5hbe7r9qk2m4n6p8r0s',
  number: 42,
  hash: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
  at: '2026-11-03T02:00:00.000Z',
};
const INSTALLATION = '01998f7e-0000-7000-8000-000000000000';

let keys: JSONWebKeySet;
let sign: (payload: object, typ?: string, kid?: string) => Promise<FlattenedJWS>;
let jws: FlattenedJWS;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'sgk_1', alg: 'EdDSA', use: 'sig' }] };
  sign = (payload, typ = CHECKPOINT_TYPE, kid = 'sgk_1') =>
    new FlattenedSign(Buffer.from(canonicalJson(payload)))
      .setProtectedHeader({ alg: 'EdDSA', kid, typ })
      .sign(privateKey);
  jws = await sign(checkpointPayload(INSTALLATION, CHECKPOINT));
});

const read = (value: unknown, with_: JSONWebKeySet | undefined = keys) =>
  readCheckpoints(
    [{ name: 'kept.json', text: typeof value === 'string' ? value : JSON.stringify(value) }],
    with_,
  );
const refused = async (value: unknown, with_?: JSONWebKeySet) => {
  const answer = await read(value, with_);
  return answer.ok ? 'taken' : answer.why;
};

describe('a signed checkpoint', () => {
  test('is read wherever it was kept', async () => {
    const { tenant: _, ...audit } = CHECKPOINT;
    const logged = {
      ...{
        level: 'info',
        event: 'audit.checkpoint',
        tenantId: CHECKPOINT.tenant,
        installation: INSTALLATION,
      },
      ...audit,
      kid: 'sgk_1',
      ed25519: jws.signature,
    };
    const report = await sign({ v: 1, tenant: CHECKPOINT.tenant, audit: { ...audit, jws } }, CLOSURE_TYPE);
    for (const kept of [
      jws,
      { ...CHECKPOINT, jws },
      [{ ...CHECKPOINT, jws }],
      { items: [{ ...CHECKPOINT, jws }], nextCursor: null, head: null },
      { type: 'operation.closed', data: {}, audit: { ...CHECKPOINT, jws } },
      { ...audit, complete: true, jws },
      report,
      logged,
    ])
      expect(await read(kept)).toEqual({ ok: true, checkpoints: [CHECKPOINT], signed: 1 });
    const head = { ...CHECKPOINT, jws };
    expect(await read({ items: [], nextCursor: null, head })).toEqual({
      ...{ ok: true, checkpoints: [CHECKPOINT], signed: 1 },
    });
    const lines = [logged, logged].map((line) => `${JSON.stringify(line)}\n`).join('');
    expect(await read(lines)).toMatchObject({ ok: true, signed: 2 });
  });

  test('counts for nothing where its signature does not hold, or says something else', async () => {
    const view = { ...CHECKPOINT, jws };
    expect(await refused({ ...view, jws: { ...jws, signature: jws.signature.replace(/^./, '-') } })).toBe(
      'bad_signature',
    );
    expect(await refused({ ...view, number: 43 })).toBe('other_content');
    expect(await refused({ ...view, hash: '0'.repeat(64) })).toBe('other_content');
    expect(await refused({ ...view, tenant: 'ten_other' })).toBe('other_content');
    expect(await refused({ ...view, at: '2020-01-01T00:00:00.000Z' })).toBe('other_content');
    const page = { items: [view], nextCursor: null };
    expect(await refused({ ...page, head: { ...view, hash: '0'.repeat(64) } })).toBe('other_content');
    expect(await refused({ ...page, head: { ...CHECKPOINT, jws: null } })).toBe('unsigned');
    expect(await refused({ ...page, head: 'none' })).toBe('unreadable');
    expect(await refused({ ...view, approvedBy: 'actor:ceo' })).toBe('unreadable');
    expect(await refused({ ...view, jws: { ...jws, header: { approvedBy: 'actor:ceo' } } })).not.toBe(
      'taken',
    );
    expect(await refused(JSON.stringify(view).replace('{', '{"number":48,'))).toBe('unreadable');
    expect(await refused({ ...jws, approvedBy: 'actor:ceo' })).toBe('unreadable');
    expect(await refused(CHECKPOINT)).toBe('unsigned');
    expect(await refused({ ...view, jws: null })).toBe('unsigned');
    expect(await refused(await sign(CHECKPOINT, CHECKPOINT_TYPE, 'sgk_2'))).toBe('unknown_key');
    expect(await refused(view, { keys: [] })).toBe('unknown_key');
    const [key] = keys.keys;
    expect(await refused(view, { keys: [{ ...key, revokedAt: CHECKPOINT.at } as never] })).toBe(
      'revoked_key',
    );
    expect(await refused(await sign({ ...CHECKPOINT, v: 1 }, ADDENDUM_TYPE))).toBe('unreadable');
    expect(await refused(await sign({ v: 1, tenant: CHECKPOINT.tenant }, CLOSURE_TYPE))).toBe('unreadable');
  });

  test.each(['', 'null', '7', '{}', '[{}]', '{"items":[null]}', 'no json', '{"protected":"e30"}'])(
    'is not found in %j, and nothing is thrown',
    async (text) => {
      expect(['unreadable', 'bad_signature']).toContain(await refused(text));
    },
  );

  test('names the file and the place of the first fault', async () => {
    const answer = readCheckpoints(
      [
        { name: 'good.json', text: JSON.stringify({ ...CHECKPOINT, jws }) },
        { name: 'bad.json', text: JSON.stringify([{ ...CHECKPOINT, jws }, CHECKPOINT]) },
      ],
      keys,
    );
    expect(answer).toEqual({ ok: false, fault: 'checkpoint', file: 'bad.json', index: 1, why: 'unsigned' });
  });
});

test('without keys signatures are not looked at, and what was signed is what is taken', async () => {
  const without = (value: unknown) => readCheckpoints([{ name: 'kept.json', text: JSON.stringify(value) }]);
  for (const kept of [CHECKPOINT, { ...CHECKPOINT, jws }, { ...CHECKPOINT, jws: null }, jws])
    expect(await without(kept)).toEqual({ ok: true, checkpoints: [CHECKPOINT], signed: 0 });
  const zeros = { ...CHECKPOINT, hash: '0'.repeat(64), jws };
  expect(await without({ items: [], head: zeros })).toMatchObject({ ok: false, why: 'other_content' });
});

test.each([
  ['an array', '[', ']'],
  ['an audit', '{"audit":', '}'],
  ['a page', '{"items":[', ']}'],
])('%s that nests too deep is unreadable, and nobody runs out of stack', async (_, open, close) => {
  const text = `${open.repeat(50_000)}1${close.repeat(50_000)}`;
  expect(await refused(text)).toBe('unreadable');
  expect(await refused(`${JSON.stringify(jws)}\n${text}`)).toBe('unreadable');
});

import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';
import { useApi } from '../../support/api/use-api.ts';
import {
  ask,
  isVerified,
  proofOf,
  type RawAnswer,
  sha256,
  signed,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../../support/surfaces/minka-scene.ts';

const api = useApi();
let scene: MinkaScene;

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key });
});

const strange = fc.oneof(
  fc.constantFrom('', '\0', '\ud800', 'mint-bridge', '$brg.', 'a@b@c', '__proto__', '%', '%00', '../x', '𝔘'),
  fc.string({ unit: 'binary' }),
);
const value = fc.oneof(strange, fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(0, -0, 1e21, 0.1, 60, null));
const members = fc.dictionary(
  fc.oneof(fc.constantFrom('maxAge', 'handle', 'custom', '__proto__'), strange),
  value,
  {
    maxKeys: 3,
  },
);

function expectSigned(answer: RawAnswer): void {
  expect(answer.status).toBeLessThan(500);
  if (answer.text !== '""') expect(isVerified(answer.body)).toBe(true);
}

/** Half a surrogate pair cannot be in a URL. */
const wellFormed = (text: string) => Buffer.from(text).toString();

/** As a client sends it: the parsed value is the one that is signed. */
const parsed = (data: unknown) => JSON.parse(JSON.stringify(data));

test('any signed retry gets a signed answer or the success, and no 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(members, members, strange, fc.boolean(), async (data, custom, bridge, right) => {
      const body = signed(scene.signer, parsed(data), parsed(custom));
      const name = right ? 'mint-bridge' : encodeURIComponent(wellFormed(bridge)) || 'x';
      expectSigned(await scene.retry({}, { body, bridge: name }));
    }),
    { numRuns: 400 },
  );
});

test('any envelope gets a signed answer or the success, and no 5xx', async () => {
  const hash = sha256(canonicalJson({}));
  await fc.assert(
    fc.asyncProperty(members, members, members, async (envelope, meta, proof) => {
      const proofs = [{ ...proofOf(scene.signer, hash), ...proof }];
      expectSigned(
        await scene.retry({}, { body: { hash, data: {}, meta: { proofs, ...meta }, ...envelope } }),
      );
    }),
    { numRuns: 300 },
  );
});

test('any query of a list gets a signed answer, and no 5xx', async () => {
  const names = fc.constantFrom(
    ...['data.handle', 'data.bridge', 'meta.status', 'meta.replay', 'meta.moment'].flatMap((path) =>
      ['', '.$eq', '.$gt', '.$in', '.$nin', '.$regex', '.$x'].map((operator) => path + operator),
    ),
    'page.index',
    'page.limit',
  );
  const values = fc.oneof(
    strange,
    fc.constantFrom(
      '1',
      '-1',
      '999999999',
      '2026-01-01T00:00:00Z',
      '2026-02-30T00:00:00Z',
      '1972-06-30T23:59:60Z',
      'a,b',
    ),
    fc.stringMatching(/^[()[\]{}*+?.\\|^$a-c0-9,:=-]{0,20}$/),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, values), { maxLength: 4 }), members, async (query, claims) => {
      const search = new URLSearchParams(
        query.map(([name, text]) => [name, wellFormed(text)] as [string, string]),
      );
      for (const token of [tokenOf(scene.signer), tokenOf(scene.signer, parsed(claims), parsed(claims))])
        expectSigned(
          await ask(api.url, 'GET', `/v2/bridges/mint-bridge/events?${search}`, {
            headers: { authorization: `Bearer ${token}` },
          }),
        );
    }),
    { numRuns: 500 },
  );
});

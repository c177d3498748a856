import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { calculateJwkThumbprint, exportJWK, FlattenedSign } from 'jose';
import { type Jwk, keysIn, verifyJws } from '../../clients/typescript/src/proof/jws.ts';
import { isInLedger, ledgerSealer, sealOfStream } from '../../clients/typescript/src/proof/ledger.ts';
import { toHex } from '../../src/domain/proof/hex.ts';
import { leafHash, pathOf } from '../../src/domain/proof/merkle-tree.ts';
import { sealOf } from '../../src/domain/proof/verification.ts';

const PAYLOAD = { operation: 'op_1', counts: { expected: 2 }, reason: 'ünd so weiter' };

async function signed(alg = 'EdDSA', payload = JSON.stringify(PAYLOAD)) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jws = await new FlattenedSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg, kid: 'key_1', typ: 'redrive-closure+json' })
    .sign(privateKey);
  const key = {
    ...(await exportJWK(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })))),
    kid: 'key_1',
  };
  return {
    jws: { payload: jws.payload, protected: jws.protected ?? '', signature: jws.signature },
    key: key as Jwk,
  };
}

describe('a signature', () => {
  test('by a key of the set holds, and names its thumbprint as RFC 7638 does', async () => {
    const { jws, key } = await signed();
    expect(verifyJws(jws, { keys: [key] })).toMatchObject({
      holds: true,
      payload: PAYLOAD,
      type: 'redrive-closure+json',
      kid: 'key_1',
      thumbprint: await calculateJwkThumbprint({ ...key }),
    });
  });

  test('does not hold where a single character was changed', async () => {
    const { jws, key } = await signed();
    const parts = ['payload', 'protected', 'signature'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...parts),
        fc.nat(),
        fc.constantFrom('A', 'z', '0'),
        (part, at, character) => {
          const text = jws[part];
          // The last character of base64 has bits that mean nothing.
          const place = at % (text.length - 1);
          fc.pre(text[place] !== character);
          const changed = { ...jws, [part]: `${text.slice(0, place)}${character}${text.slice(place + 1)}` };
          expect(verifyJws(changed, { keys: [key] }).holds).toBe(false);
        },
      ),
    );
  });

  test('does not hold by another key of the same name, by no key, by a revoked one, or by another algorithm', async () => {
    const { jws, key } = await signed();
    const other = await signed();
    expect(verifyJws(jws, { keys: [other.key] }).holds).toBe(false);
    expect(verifyJws(jws, { keys: [] }).holds).toBe(false);
    expect(verifyJws(jws, { keys: [{ ...key, revokedAt: '2026-11-03T02:00:00.000Z' }] })).toMatchObject({
      holds: false,
      why: expect.stringContaining('revoked'),
    });
    const none = { ...jws, protected: Buffer.from('{"alg":"none","kid":"key_1"}').toString('base64url') };
    expect(verifyJws({ ...none, signature: '' }, { keys: [key] }).holds).toBe(false);
  });

  test('is read from the text of a key set, which has to be one', async () => {
    const { jws, key } = await signed();
    expect(verifyJws(jws, { keys: keysIn(JSON.stringify({ keys: [key, { kty: 'RSA' }] })) }).holds).toBe(
      true,
    );
    expect(() => keysIn('{}')).toThrow('keys');
  });
});

describe('the seal of a ledger', () => {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  const lines = fc.array(
    fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', '')),
    { maxLength: 70 },
  );

  test('is that of the server, whatever the lines', () => {
    fc.assert(
      fc.property(lines, (each) => {
        const sealer = ledgerSealer();
        for (const line of each) sealer.add(line);
        expect(sealer.seal()).toEqual(sealOf(sha256, each));
      }),
    );
  });

  test('is the same however the stream is cut', async () => {
    const text = '{"a":"ü"}\n{"b":2}\n{"c":3}\n';
    const bytes = new TextEncoder().encode(text);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: bytes.length }), async (size) => {
        let at = 0;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (at >= bytes.length) return controller.close();
            controller.enqueue(bytes.slice(at, at + size));
            at += size;
          },
        });
        let told = 0;
        const seal = await sealOfStream(body, (count) => {
          told = count;
        });
        expect(seal).toEqual(sealOf(sha256, ['{"a":"ü"}', '{"b":2}', '{"c":3}']));
        expect(told).toBe(3);
      }),
    );
  });

  test('holds each of its lines by their paths, and no other line, place or path', () => {
    const hashes = (each: readonly string[]) => each.map((line) => leafHash(sha256, Buffer.from(line)));
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 }), fc.nat(), (each, at) => {
        const leafIndex = at % each.length;
        const path = pathOf(sha256, hashes(each), leafIndex).map(toHex);
        const proof = { line: each[leafIndex] ?? '', leafIndex, treeSize: each.length, path };
        const ledger = sealOf(sha256, each);
        expect(isInLedger(proof, ledger)).toBe(true);
        expect(isInLedger({ ...proof, line: `${proof.line}.` }, ledger)).toBe(false);
        expect(isInLedger({ ...proof, path: [...path, '00'.repeat(32)] }, ledger)).toBe(false);
        expect(
          isInLedger({ ...proof, path: path.slice(1).concat(path.length > 0 ? [] : ['x']) }, ledger),
        ).toBe(false);
        expect(isInLedger({ ...proof, treeSize: each.length + 1 }, ledger)).toBe(false);
        for (const leafIndex of [-1, 0.5, each.length, Number.NaN])
          expect(isInLedger({ ...proof, leafIndex }, ledger)).toBe(false);
      }),
    );
  });
});

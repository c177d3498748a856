import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createSealer } from '../../src/sealing/sealing.ts';

const CONTEXT = 'endpoint-secret:ep_1';
const sealer = createSealer(Buffer.alloc(32, 1));
const broken = expect.objectContaining({ code: 'seal_broken' });

describe('a sealed value', () => {
  test('opens to what was sealed, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, context) => {
        const plaintext = Buffer.from(bytes);
        expect(sealer.open(sealer.seal(plaintext, context), context).equals(plaintext)).toBe(true);
      }),
    );
  });

  test('does not show what is in it and is never the same twice', () => {
    const first = sealer.seal('whsec_canary', CONTEXT);
    expect(first.includes('canary')).toBe(false);
    expect(first.equals(sealer.seal('whsec_canary', CONTEXT))).toBe(false);
  });

  test('does not open in another place', () => {
    const sealed = sealer.seal('secret', CONTEXT);
    expect(() => sealer.open(sealed, 'endpoint-secret:ep_2')).toThrow(broken);
  });

  test('does not open with another master key', () => {
    const sealed = sealer.seal('secret', CONTEXT);
    expect(() => createSealer(Buffer.alloc(32, 2)).open(sealed, CONTEXT)).toThrow(broken);
  });

  test('does not open when a single bit of it differs', () => {
    const sealed = sealer.seal('secret', CONTEXT);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const damaged = Buffer.from(sealed);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => sealer.open(damaged, CONTEXT)).toThrow(broken);
    }
  });

  test('does not open when it is cut', () => {
    const sealed = sealer.seal('secret', CONTEXT);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => sealer.open(sealed.subarray(0, length), CONTEXT)).toThrow(broken);
    }
  });
});

describe('a master key', () => {
  test('must be 32 bytes long', () => {
    expect(() => createSealer(randomBytes(16))).toThrow(RangeError);
    expect(() => createSealer(randomBytes(33))).toThrow(RangeError);
  });

  test('has a check value that is the same for the same key only and is not the key', () => {
    const key = randomBytes(32);
    expect(createSealer(key).masterKeyCheck).toBe(createSealer(Buffer.from(key)).masterKeyCheck);
    expect(createSealer(key).masterKeyCheck).not.toBe(createSealer(randomBytes(32)).masterKeyCheck);
    expect(createSealer(key).masterKeyCheck).not.toContain(key.toString('hex'));
  });
});

describe('a derived key', () => {
  test('is the same for the same master key and purpose, and another for any other', () => {
    const key = sealer.deriveKey('one');
    expect(key).toHaveLength(32);
    expect(createSealer(Buffer.alloc(32, 1)).deriveKey('one').equals(key)).toBe(true);
    expect(sealer.deriveKey('two').equals(key)).toBe(false);
    expect(createSealer(Buffer.alloc(32, 2)).deriveKey('one').equals(key)).toBe(false);
  });
});

describe('while the master key is rotated', () => {
  const [before, after] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const leading = createSealer(after, { otherMasterKey: before });
  const waiting = createSealer(before, { otherMasterKey: after });

  test('each of two processes opens what the other has sealed, and what was sealed before', () => {
    for (const by of [createSealer(before), createSealer(after), waiting, leading])
      for (const reader of [waiting, leading])
        expect(reader.open(by.seal('secret', CONTEXT), CONTEXT).toString()).toBe('secret');
    expect(createSealer(after).open(leading.seal('secret', CONTEXT), CONTEXT).toString()).toBe('secret');
    expect(() => createSealer(before).open(leading.seal('secret', CONTEXT), CONTEXT)).toThrow(broken);
  });

  test('what is sealed under the present key is known by its beginning', () => {
    const { sealedPrefix = Buffer.of(0), otherCheck } = leading.rotation ?? {};
    const begins = (sealed: Buffer) => sealed.subarray(0, sealedPrefix.length).equals(sealedPrefix);
    expect(begins(leading.seal('secret', CONTEXT))).toBe(true);
    for (const other of [waiting, createSealer(before), createSealer(after)])
      expect(begins(other.seal('secret', CONTEXT))).toBe(false);
    expect(otherCheck).toBe(createSealer(before).masterKeyCheck);
    expect(createSealer(after).rotation).toBeUndefined();
  });

  test('not a bit of a value that names its key may differ', () => {
    const sealed = leading.seal('secret', CONTEXT);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const damaged = Buffer.from(sealed);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => leading.open(damaged, CONTEXT)).toThrow(broken);
    }
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => leading.open(sealed.subarray(0, length), CONTEXT)).toThrow(broken);
  });

  test('a key for a purpose stays what it was where it is kept', () => {
    const kept = new Map([['one', createSealer(before).deriveKey('one')]]);
    const sealer = createSealer(after, { keptKeys: kept });
    expect(sealer.deriveKey('one').equals(createSealer(before).deriveKey('one'))).toBe(true);
    expect(sealer.deriveKey('two').equals(createSealer(after).deriveKey('two'))).toBe(true);
  });
});

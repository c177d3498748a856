import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TypeID } from 'typeid-js';
import { ID_PREFIXES, type Id, type IdKind, readId, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { anyId } from '../../support/store/any-id.ts';

const KINDS = Object.keys(ID_PREFIXES) as IdKind[];
const anyKind = fc.constantFrom(...KINDS);
const anyUuid = fc.uuid().map(anyId);
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

describe('an id', () => {
  test('is read back as it was shown, in either spelling', () => {
    fc.assert(
      fc.property(anyKind, anyUuid, (kind, uuid) => {
        expect(showId(kind, uuid)).toMatch(/^[a-z]{2,3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
        expect(readId(kind, showId(kind, uuid))).toBe(uuid);
        expect(readId(kind, uuid)).toBe(uuid);
        expect(readId(kind, uuid.toUpperCase())).toBe(uuid);
      }),
    );
  });

  test('is shown as the library of TypeIDs shows it', () => {
    fc.assert(
      fc.property(anyKind, anyUuid, (kind, uuid) => {
        const shown = TypeID.fromUUID(ID_PREFIXES[kind], uuid).toString();
        expect(showId(kind, uuid)).toBe(shown);
        expect(showId(kind, uuid.toUpperCase() as Id<IdKind>)).toBe(shown);
      }),
    );
    expect(() => showId('delivery', 'dlv_1' as Id<'delivery'>)).toThrow(TypeError);
  });

  test('of another kind is not read', () => {
    fc.assert(
      fc.property(anyKind, anyKind, anyUuid, (kind, other, uuid) => {
        fc.pre(kind !== other);
        expect(readId(other, showId(kind, uuid))).toBeUndefined();
      }),
    );
  });

  test('sorts as its uuid does', () => {
    fc.assert(
      fc.property(anyKind, anyUuid, anyUuid, (kind, a, b) => {
        expect(showId(kind, a) < showId(kind, b)).toBe(a < b);
      }),
    );
  });

  test('that says more than 128 bits is not read', () => {
    for (const first of ALPHABET.slice(8))
      expect(readId('delivery', `dlv_${first}${'z'.repeat(25)}`)).toBeUndefined();
    expect(readId('delivery', `dlv_7${'z'.repeat(25)}`)).toBe('ffffffff-ffff-ffff-ffff-ffffffffffff');
  });

  test('is undefined, and never an error, for any other text', () => {
    const nearly = fc
      .tuple(fc.constantFrom(...Object.values(ID_PREFIXES), '', 'DLV'), fc.string())
      .map((parts) => parts.join('_'));
    fc.assert(
      fc.property(anyKind, fc.oneof(fc.string(), nearly, fc.string({ unit: 'binary' })), (kind, text) => {
        const read = readId(kind, text);
        if (read !== undefined) expect([showId(kind, read), read]).toContain(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('has a prefix of its own for each kind', () => {
    expect(new Set(Object.values(ID_PREFIXES)).size).toBe(KINDS.length);
  });
});

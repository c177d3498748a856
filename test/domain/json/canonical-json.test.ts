import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';

/** The same value with the members of every object in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

test('the order of members makes no difference, everything else does', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, other) => {
      const parsed = JSON.parse(JSON.stringify(value));
      expect(canonicalJson(reversed(parsed))).toBe(canonicalJson(parsed));
      expect(JSON.parse(canonicalJson(parsed))).toEqual(parsed);
      const same = canonicalJson(JSON.parse(JSON.stringify(other))) === canonicalJson(parsed);
      if (same) expect(JSON.parse(JSON.stringify(other))).toEqual(parsed);
    }),
  );
});

test('members are sorted by UTF-16 code units and numbers written as ECMAScript writes them (RFC 8785)', () => {
  expect(canonicalJson(JSON.parse('{"b":1.0,"a":[1e2,"\\u00e9"],"\\ud83d\\ude00":1,"\\ufb33":2}'))).toBe(
    '{"a":[100,"\u00e9"],"b":1,"\ud83d\ude00":1,"\ufb33":2}',
  );
});

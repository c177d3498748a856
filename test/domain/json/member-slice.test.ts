import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { memberSlice } from '../../../src/domain/json/member-slice.ts';

test('the slice of a member is what the parser makes of it', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 }),
      fc.string(),
      fc.constantFrom(undefined, 1, '\t'),
      (object, name, indent) => {
        const text = JSON.stringify({ outer: object, other: 1 }, null, indent);
        const own = Object.hasOwn(object, name);
        const slice = memberSlice(text, ['outer', name]);
        expect(slice === undefined ? undefined : JSON.parse(slice)).toEqual(
          own ? JSON.parse(JSON.stringify(object[name])) : undefined,
        );
      },
    ),
  );
});

test('bytes are left as they are, the last of two counts, and names may be escaped', () => {
  expect(memberSlice(' {"a": {"b" : [1.0, 12345678901234567890 ] }}', ['a', 'b'])).toBe(
    '[1.0, 12345678901234567890 ]',
  );
  expect(memberSlice('{"a":1,"\\u0061":2.0}', ['a'])).toBe('2.0');
  expect(memberSlice('{"a":[{"b":1}]}', ['a', 'b'])).toBeUndefined();
  expect(memberSlice('  {"a":1} ', [])).toBe('{"a":1} ');
});

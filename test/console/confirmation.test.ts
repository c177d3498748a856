import { expect, test } from '@jest/globals';
import { confirmationFor, typedNumber } from '../../console/src/ui/blast-radius.ts';

test('what has to be said grows with the number of deliveries', () => {
  expect(confirmationFor(99, false)).toBe('none');
  expect(confirmationFor(100, false)).toBe('sentence');
  expect(confirmationFor(10_000, false)).toBe('sentence');
  expect(confirmationFor(10_001, false)).toBe('number');
});

test('where duplicates are possible the number is typed, however small it is', () => {
  expect(confirmationFor(1, true)).toBe('number');
  expect(confirmationFor(0, true)).toBe('none');
});

test('a number is taken however its thousands are set apart, and no other one', () => {
  for (const text of ['12431', '12,431', '12.431', '12 431', "12'431", '12’431'])
    expect(typedNumber(text, 12_431)).toBe(true);
  for (const text of ['', '1243', '124310', 'yes', '-12431']) expect(typedNumber(text, 12_431)).toBe(false);
});

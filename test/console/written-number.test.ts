import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { whole } from '../../console/src/format/numbers.ts';
import { writtenAboveZero, writtenNumber } from '../../console/src/format/written-number.ts';

const WRONG = { wrong: expect.any(String) };

describe('a number in a field', () => {
  test('is read as it is written, with its thousands apart or not', () => {
    const number = fc.oneof(
      fc.nat(),
      fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 1_000),
    );
    fc.assert(fc.property(number, (value) => expect(writtenNumber(` ${value} `)).toEqual({ value })));
    fc.assert(fc.property(fc.nat(), (value) => expect(writtenNumber(whole(value))).toEqual({ value })));
    expect(writtenNumber('1,234.5')).toEqual({ value: 1_234.5 });
  });

  test('is none where nothing is written', () => {
    expect(writtenNumber('')).toEqual({});
    expect(writtenNumber('  ')).toEqual({});
  });

  test('is never guessed from a comma that could be a decimal one', () => {
    for (const text of ['0,5', '1,5', '12,34', '1000,5', '1,0000', '0,500', '1,000,00', ',5', '1,'])
      expect(writtenNumber(text)).toEqual(WRONG);
  });

  test('is never guessed from what else stands there', () => {
    for (const text of [
      'all',
      '50/s',
      '1e3',
      '-1',
      '+1',
      '1 000',
      '1.000.000',
      '1,000.',
      'NaN',
      'Infinity',
      '0x10',
      '٣',
    ])
      expect(writtenNumber(text)).toEqual(WRONG);
    expect(writtenNumber('9'.repeat(400))).toEqual(WRONG);
  });

  test('is one or refused with words, whatever is written', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9.,]{1,12}$/));
    fc.assert(
      fc.property(text, (drawn) => {
        const { value, wrong } = writtenNumber(drawn);
        if (drawn.trim() === '') expect({ value, wrong }).toEqual({});
        else expect((value === undefined) !== (wrong === undefined)).toBe(true);
        // What is taken is what its digits say.
        if (value !== undefined) expect(value).toBe(Number(drawn.trim().replaceAll(',', '')));
      }),
    );
  });

  test('has to be above nothing where nothing would be sent', () => {
    expect(writtenAboveZero('0')).toEqual(WRONG);
    expect(writtenAboveZero('0.5')).toEqual({ value: 0.5 });
    expect(writtenAboveZero('')).toEqual({});
  });
});

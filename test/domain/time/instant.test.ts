import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { millisecondEdge, readInstant } from '../../../src/domain/time/instant.ts';

const at = (text: string) => {
  const read = readInstant(text);
  return read.ok ? read.at : read.message;
};

describe('a time that is read', () => {
  test.each([
    ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.000Z'],
    ['2024-01-01t00:00:00z', '2024-01-01T00:00:00.000Z'],
    ['2024-01-01T00:00:00+16:00', '2023-12-31T08:00:00.000Z'],
    ['2024-01-01T00:00:00-23:59', '2024-01-01T23:59:00.000Z'],
    ['2024-01-01T00:00:00-00:00', '2024-01-01T00:00:00.000Z'],
    ['2024-02-29T12:00Z', '2024-02-29T12:00:00.000Z'],
    ['2024-01-01T00:00:00.1Z', '2024-01-01T00:00:00.100Z'],
    ['2024-01-01T00:00:00.123999Z', '2024-01-01T00:00:00.123Z'],
    ['2024-01-01T00:00:00.12345678901234Z', '2024-01-01T00:00:00.123Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59.500Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0099-06-01T00:00:00Z', '0099-06-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z'],
    // A leap second is the beginning of the next, wherever it is said to be.
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2017-01-01T00:59:60.25+01:00', '2017-01-01T00:00:00.250Z'],
    // The first and the last time of a calendar, in the zone of a client that means "since ever" and "for ever".
    ['0001-01-01T00:00:00+01:00', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.9999999-06:00', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:60Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, expected) => {
    expect(at(text)).toBe(expected);
  });

  test.each([
    ['2024-01-01T00:00:00', /offset is missing/],
    ['2024-01-01T00:00:00.123', /offset is missing/],
    ['2024-01-01T00:00:00 01:00', /%2B/],
    ['2024-01-01T00:00:00+24:00', /between -23:59 and \+23:59/],
    ['2024-01-01T00:00:00+01:60', /between -23:59 and \+23:59/],
    ['2024-01-01T00:00:00+0100', /Expected a date and a time with an offset/],
    ['0000-06-01T00:00:00Z', /years 0001 to 9999/],
    ['2023-02-29T00:00:00Z', /exist/],
    ['2024-13-01T00:00:00Z', /exist/],
    ['2024-01-00T00:00:00Z', /exist/],
    ['2024-01-01T24:00:00Z', /exist/],
    ['2024-01-01T00:60:00Z', /exist/],
    ['2024-01-01T00:00:61Z', /exist/],
    ['2024-01-01T12:00:60Z', /exist/],
    ['2024-01-30T23:59:60Z', /exist/],
    ['2024-01-31T23:59:60+01:00', /exist/],
    ['+12024-01-01T00:00:00Z', /Expected a date and a time/],
    ['-0001-01-01T00:00:00Z', /Expected a date and a time/],
    ['2024-01-01', /Expected a date and a time/],
    ['infinity', /Expected a date and a time/],
    ['-infinity', /Expected a date and a time/],
    ['now', /Expected a date and a time/],
    ['epoch', /Expected a date and a time/],
    ['2024-01-01T00:00:00Z\0', /Expected a date and a time/],
    ['２０２４-01-01T00:00:00Z', /Expected a date and a time/],
    ['1704067200', /Expected a date and a time/],
    ['', /Expected a date and a time/],
  ])('%j is none', (text, message) => {
    expect(readInstant(text)).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });

  const dates = fc.date({
    min: new Date('0001-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  });

  test('is the same in every offset', () => {
    fc.assert(
      fc.property(dates, fc.integer({ min: -1_439, max: 1_439 }), (date, minutes) => {
        const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, -1);
        const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
        const two = (number: number) => String(number).padStart(2, '0');
        expect(at(`${local}${minutes < 0 ? '-' : '+'}${two(hours)}:${two(rest)}`)).toBe(date.toISOString());
      }),
    );
  });

  test('is read again as itself, whatever its digits', () => {
    fc.assert(
      fc.property(dates, fc.stringMatching(/^\d{1,20}$/), (date, digits) => {
        const once = at(`${date.toISOString().slice(0, 19)}.${digits}Z`);
        expect(at(once)).toBe(once);
      }),
    );
  });
});

describe('the edge of a range', () => {
  test.each([
    ['start', true, '2024-01-01T00:00:00.123Z', '2024-01-01T00:00:00.123Z'],
    ['start', false, '2024-01-01T00:00:00.123Z', '2024-01-01T00:00:00.124Z'],
    ['end', true, '2024-01-01T00:00:00.123Z', '2024-01-01T00:00:00.124Z'],
    ['end', false, '2024-01-01T00:00:00.123Z', '2024-01-01T00:00:00.123Z'],
    ['start', true, '2024-01-01T00:00:00.123999Z', '2024-01-01T00:00:00.123Z'],
    ['end', false, '2024-01-01T00:00:00.123999Z', '2024-01-01T00:00:00.123Z'],
    ['end', true, '1969-12-31T23:59:59.999Z', '1970-01-01T00:00:00.000Z'],
    ['start', true, '0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['end', true, '9999-12-31T23:59:59.999Z', 'infinity'],
    ['start', false, '9999-12-31T23:59:59.999Z', 'infinity'],
    // As an operation of an earlier version may have kept it.
    ['start', true, '2024-01-01T00:00:00+16:00', '2023-12-31T08:00:00.000Z'],
  ] as const)('%s, inclusive %s, of %s is %s', (side, inclusive, time, edge) => {
    expect(millisecondEdge(side, { at: time, inclusive })).toBe(edge);
  });

  test('compares the millisecond that is shown of a row with the one that is asked for', () => {
    const base = Date.parse('2024-01-01T00:00:00Z');
    const micros = fc.integer({ min: 0, max: 3_999 });
    fc.assert(
      fc.property(micros, micros, fc.boolean(), (row, asked, inclusive) => {
        const [shown, meant] = [Math.floor(row / 1_000), Math.floor(asked / 1_000)];
        const text = new Date(base)
          .toISOString()
          .replace('.000Z', `.00${(asked / 1_000).toFixed(3).replace('.', '')}Z`);
        const edge = (side: 'start' | 'end') =>
          (Date.parse(millisecondEdge(side, { at: text, inclusive })) - base) * 1_000;
        expect(row >= edge('start')).toBe(inclusive ? shown >= meant : shown > meant);
        expect(row < edge('end')).toBe(inclusive ? shown <= meant : shown < meant);
      }),
    );
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  longestRetryAfter,
  parseRetryAfter,
  RETRY_AFTER_CAP_MS,
} from '../../../src/domain/sending/retry-after.ts';

const NOW = Date.parse('Sun, 06 Nov 1994 08:49:00 GMT');

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['99999999999999999999', RETRY_AFTER_CAP_MS],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
    ['Sun Nov  6 08:49:37 1994', 37_000],
    ['Fri, 31 Dec 1999 23:59:59 GMT', RETRY_AFTER_CAP_MS],
    ['1.5', 1_500],
    ['.5', 500],
    ['0.0001', 1],
    ['+30', 30_000],
    ['120s', 120_000],
    ['120 seconds', 120_000],
    ['1 sec', 1_000],
    ['250ms', 250],
    ['2m', 120_000],
    ['1.5 Minutes', 90_000],
    ['1h', RETRY_AFTER_CAP_MS],
    ['Sun, 06 Nov 1994 08:49:37 UTC', 37_000],
    ['Sun, 06 Nov 1994 08:49:37 +0000', 37_000],
    ['Sun, 06 Nov 1994 09:49:37 +01:00', 37_000],
    ['Sun, 06 Nov 1994 00:49:37 -0800', 37_000],
    ['Sun, 6 Nov 1994 08:49:37 GMT', 37_000],
    ['sun, 06 nov 1994 08:49:37 gmt', 37_000],
    ['SUNDAY, 6-NOV-94 8:49:37 Z', 37_000],
    ['Sunday, 06-Nov-1994 08:49:37 GMT', 37_000],
    ['06 November 1994 08:49:37', 37_000],
    ['Sun, 06 Nov 1994 08:50 GMT', 60_000],
    ['sun nov 6 08:49:37 1994', 37_000],
    ['Sun Nov  6 08:49:37 UTC 1994', 37_000],
    ['1994-11-06T08:49:37Z', 37_000],
    ['1994-11-06t09:49:37.250+01:00', 37_000],
    ['1994-11-06 08:49:37', 37_000],
  ])('%p is a wait of %i ms', (value, expected) => {
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });

  test.each([
    undefined,
    '',
    '-5',
    '1.5.2',
    '5 days ago',
    '1 fortnight',
    '3our',
    '1e3',
    '0x10',
    'soon',
    'soon 1',
    '1994-11-06',
    'Sun, 06 Nov 1994 08:48:00 GMT',
    'Xxx, 99 Zzz 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 PST8PDT',
  ])('%p is ignored', (value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined();
  });

  test('is never negative nor longer than the cap, whatever its value', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.integer().map(String),
          fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        ),
        (value) => {
          const waitMs = parseRetryAfter(value, NOW);
          if (waitMs === undefined) return;
          expect(waitMs).toBeGreaterThanOrEqual(0);
          expect(waitMs).toBeLessThanOrEqual(RETRY_AFTER_CAP_MS);
        },
      ),
    );
  });

  test('reads back every date within the hour', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_600 }), (seconds) => {
        expect(parseRetryAfter(new Date(NOW + seconds * 1_000).toUTCString(), NOW)).toBe(seconds * 1_000);
      }),
    );
  });

  test.each([
    [['5', '120'], 120_000],
    [['120', 'soon'], 120_000],
    [['5, 120'], 120_000],
    [['5, Sun, 06 Nov 1994 08:49:37 GMT'], 37_000],
    [['Sun, 06 Nov 1994 08:49:37 GMT, 5'], 37_000],
    [['Sun, 06 Nov 1994 08:49:07 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT'], 37_000],
    [['soon', ''], undefined],
    [[], undefined],
  ])('of %j the longest counts', (values, expected) => {
    expect(longestRetryAfter(values, NOW)).toBe(expected);
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { duration, parseDuration, timeRange } from '../../../cli/src/core/durations.ts';
import { parseCanary, parseCount, parsePercent, parseRamp, parseRate } from '../../../cli/src/core/pace.ts';
import { Stop } from '../../../cli/src/core/stop.ts';
import { parseAhead, parseWhen, shownTime } from '../../../cli/src/core/times.ts';

/** A mistake of whoever typed it: it ends with 2. */
function refuses(act: () => unknown): void {
  let error: unknown;
  try {
    act();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(Stop);
  expect(error).toMatchObject({ exit: 'usage' });
}

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['6h', 21_600_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', '10', '-5m', '5', 'h', '5 m', '5min', '1h ', ' 1h', '5m-', '1e3s', '99999d', 'NaNs'])(
    '"%s" is none: a number means nothing without its unit',
    (text) => refuses(() => parseDuration(text)),
  );

  test('is its hours, minutes and seconds together', () =>
    fc.assert(
      fc.property(fc.nat(99), fc.nat(59), fc.nat(59), (h, m, s) => {
        expect(parseDuration(`${h}h${m}m${s}s`)).toBe(((h * 60 + m) * 60 + s) * 1_000);
      }),
    ));

  test.each([
    [0, '0 s'],
    [59.6, '1 min'],
    [125, '2 min 5 s'],
    [7_500, '2 h 5 min'],
    [90_000, '1 d 1 h'],
  ])('%d seconds are shown as %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  test('of a plan is a range whose end may not be known', () => {
    expect(timeRange({ minSeconds: 60, maxSeconds: null })).toBe('1 min or more');
    expect(timeRange({ minSeconds: 60, maxSeconds: 61 })).toBe('1 min to 1 min 1 s');
    expect(timeRange({ minSeconds: 60, maxSeconds: 60 })).toBe('1 min');
  });
});

describe('a time', () => {
  const now = new Date('2026-11-03T06:00:00.000Z');

  test('is so long ago, or absolute with its zone; it comes out in UTC', () => {
    expect(parseWhen('6h', now)).toBe('2026-11-03T00:00:00.000Z');
    expect(parseWhen('2026-11-03T02:00+02:00', now)).toBe('2026-11-03T00:00:00.000Z');
    expect(parseWhen('2026-11-03T02:00:05.5Z', now)).toBe('2026-11-03T02:00:05.500Z');
    expect(parseAhead('6h', now)).toBe('2026-11-03T12:00:00.000Z');
  });

  test.each(['2026-11-03T02:00', '2026-11-03', 'yesterday', '2026-13-03T02:00Z', '1793671200', '', '6'])(
    '"%s" is none: without a zone it would mean another one elsewhere',
    (text) => refuses(() => parseWhen(text, now)),
  );

  test('is shown in UTC, without fractions', () => {
    expect(shownTime('2026-11-03T02:00:05.123Z')).toBe('2026-11-03 02:00:05Z');
    expect(shownTime(null)).toBe('–');
  });
});

describe('a pace', () => {
  test('is read as it is written in the docs', () => {
    expect(parseCanary('25:10%')).toEqual({ count: 25, maxFailurePercent: 10 });
    expect(parseCanary('1:0')).toEqual({ count: 1, maxFailurePercent: 0 });
    expect(parseRamp('5/60s')).toEqual({ startPerSecond: 5, everySeconds: 60 });
    expect(parseRamp('0.5/2m')).toEqual({ startPerSecond: 0.5, everySeconds: 120 });
    expect(parseRate('50/s')).toBe(50);
    expect(parsePercent('5%')).toBe(5);
    expect(parseCount('10000')).toBe(10_000);
  });

  test.each(['25', '25:', ':10%', '25:10:3', '0:10%', '2.5:10%', '25:101%', '25:-1%', '-25:1%'])(
    '"%s" is no canary',
    (text) => refuses(() => parseCanary(text)),
  );
  test.each(['5', '5/', '/60s', '5/60', '0/60s', '5/500ms', '5/1.5s', '5/60s/2'])('"%s" is no ramp', (text) =>
    refuses(() => parseRamp(text)),
  );
  test.each(['0', '-1', '1e3', 'fast', '', '5/min'])('"%s" is no rate', (text) =>
    refuses(() => parseRate(text)),
  );
});

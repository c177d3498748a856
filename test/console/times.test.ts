import { describe, expect, test } from '@jest/globals';
import { axisTime, dateAndTime, fromInput, inputValue, shortTime } from '../../console/src/format/times.ts';

const NOW = new Date('2026-11-03T12:00:00.000Z');

describe('a time', () => {
  test('is shown to the second, with its day where that is not today', () => {
    expect(dateAndTime('2026-11-03T02:00:05.123Z', 'utc')).toBe('2026-11-03 02:00:05');
    expect(shortTime('2026-11-03T02:00:05.123Z', 'utc', NOW)).toBe('02:00:05');
    expect(shortTime('2026-11-02T23:59:59.999Z', 'utc', NOW)).toBe('2026-11-02 23:59');
  });

  test('has no year on an axis, and its seconds only where they tell ticks apart', () => {
    expect(axisTime('2026-11-03T02:00:05.123Z', 'utc', NOW)).toBe('02:00');
    expect(axisTime('2026-11-02T22:00:00.000Z', 'utc', NOW)).toBe('11-02 22:00');
    expect(axisTime('2026-11-03T02:00:05.123Z', 'utc', NOW, true)).toBe('02:00:05');
  });

  test('that is written into a field is the one that the field shows', () => {
    for (const zone of ['utc', 'local'] as const)
      expect(fromInput(inputValue('2026-11-03T02:30:00.000Z', zone), zone)).toBe('2026-11-03T02:30:00.000Z');
    expect(fromInput('', 'utc')).toBeUndefined();
    expect(inputValue('no time', 'utc')).toBe('');
  });
});

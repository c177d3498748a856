import { describe, expect, test } from '@jest/globals';
import { newer } from '../../console/src/api/newer.ts';
import { duration, timeRange } from '../../console/src/format/durations.ts';
import { bytes, percent } from '../../console/src/format/numbers.ts';
import { dateAndTime, fromInput, inputValue } from '../../console/src/format/times.ts';
import { isLinked } from '../../console/src/screens/audit/chain.ts';

type State = Parameters<typeof newer>[0];

const operation = (state: State['state'], delivered: number): State => ({
  state,
  counts: {
    ...{ expected: 10, queued: 10 - delivered, sending: 0, scheduled: 0, delivered, failed: 0, unknown: 0 },
    ...{ ignored: 0, cancelled: 0, superseded: 0, excluded: 0 },
  },
});

describe('of two states of an operation', () => {
  test('the one with more that is settled is kept: numbers never jump back', () => {
    const [early, late] = [operation('running', 3), operation('running', 7)];
    expect(newer(early, late)).toBe(late);
    expect(newer(late, early)).toBe(late);
  });

  test('the one that has ended is kept', () => {
    const [running, ended] = [operation('running', 9), operation('completed', 10)];
    expect(newer(running, ended)).toBe(ended);
    expect(newer(ended, running)).toBe(ended);
  });

  test('another state counts as it came', () => {
    const [running, paused] = [operation('running', 5), operation('paused', 5)];
    expect(newer(running, paused)).toBe(paused);
    expect(newer(paused, running)).toBe(running);
  });
});

test('a chain of the audit is linked where each entry names the one before it', () => {
  const entries = [
    { number: 3, prev: 'b', hash: 'c' },
    { number: 2, prev: 'a', hash: 'b' },
    { number: 1, prev: '', hash: 'a' },
  ];
  expect(isLinked(entries)).toBe(true);
  expect(isLinked(entries.filter(({ number }) => number !== 2))).toBe(false);
  expect(isLinked(entries.map((entry) => (entry.number === 3 ? { ...entry, prev: 'x' } : entry)))).toBe(
    false,
  );
});

test('numbers and times are written so that nobody takes them for others', () => {
  expect(percent(1, 100_000)).toBe('< 0.1 %');
  expect(percent(99_999, 100_000)).toBe('> 99.9 %');
  expect(percent(0, 0)).toBe('0 %');
  expect(bytes(1_536)).toBe('1.5 KiB');
  expect(duration(4_200)).toBe('4.2 s');
  expect(duration(7_500_000)).toBe('2 h 5 min');
  expect(timeRange({ minSeconds: 60, maxSeconds: null })).toBe('1 min or more');
  expect(dateAndTime('2026-11-03T00:00:05.000Z', 'utc')).toBe('2026-11-03 00:00:05');
  expect(fromInput(inputValue('2026-11-03T02:00:00.000Z', 'utc'), 'utc')).toBe('2026-11-03T02:00:00.000Z');
  expect(fromInput('', 'utc')).toBeUndefined();
});

import { describe, expect, test } from '@jest/globals';
import { onTheWire, plannedOnly, unsentOf } from '../../console/src/screens/operation/extent.ts';

type Operation = Parameters<typeof unsentOf>[0];

const NONE: Operation['counts'] = {
  expected: 0,
  queued: 0,
  sending: 0,
  scheduled: 0,
  delivered: 0,
  failed: 0,
  unknown: 0,
  ignored: 0,
  cancelled: 0,
  superseded: 0,
  excluded: 0,
};
const plannedItems = 60;

describe('what an operation would not send any more', () => {
  test('is what its plan has, as long as nothing of it is selected', () => {
    for (const state of ['planned', 'awaiting_approval'] as const) {
      expect(unsentOf({ state, counts: NONE, plannedItems })).toBe(60);
      expect(plannedOnly({ state, counts: NONE, plannedItems })).toBe(60);
    }
  });

  test('is what waits, once it is selected', () => {
    const counts = { ...NONE, expected: 60, queued: 7, scheduled: 5, delivered: 48 };
    for (const state of ['running', 'awaiting_approval'] as const) {
      expect(unsentOf({ state, counts, plannedItems })).toBe(12);
      expect(plannedOnly({ state, counts, plannedItems })).toBeUndefined();
    }
    expect(unsentOf({ state: 'running', counts, plannedItems: null })).toBe(12);
  });
});

test('what is on the wire after a command is told until it has ended', () => {
  expect(onTheWire(2, 5)).toBe(2);
  expect(onTheWire(2, 1)).toBe(1);
  expect(onTheWire(2, 0)).toBeUndefined();
  expect(onTheWire(0, 0)).toBe('nothing');
  expect(onTheWire(0, 3)).toBeUndefined();
});

import { describe, expect, test } from '@jest/globals';
import { estimateEta } from '../../../src/domain/operations/eta.ts';
import { COUNTED_PARTS, type OperationCounts } from '../../../src/domain/operations/operation-counts.ts';
import { OPERATION_STATES, type OperationState } from '../../../src/domain/operations/operation-state.ts';
import type { Wait } from '../../../src/domain/sending/waiting-for.ts';

const NOW = new Date('2026-11-03T02:00:10Z');
const SINCE = new Date('2026-11-03T02:00:00Z');

function countsOf(parts: Partial<OperationCounts>): OperationCounts {
  const none = Object.fromEntries(COUNTED_PARTS.map((part) => [part, 0])) as OperationCounts;
  return { ...none, ...parts, expected: Object.values(parts).reduce((sum, n) => sum + n, 0) };
}

function eta(
  parts: Partial<OperationCounts>,
  more: {
    state?: OperationState;
    ratePerSecond?: number;
    endedBefore?: number;
    seen?: number;
    waitsFor?: Wait['what'];
  } = {},
) {
  const { state = 'running', ratePerSecond, endedBefore = 0, seen, waitsFor } = more;
  return estimateEta(
    {
      state,
      counts: countsOf(parts),
      running: { since: SINCE, endedBefore },
      ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
      ...(waitsFor === undefined ? {} : { waitingFor: [{ what: waitsFor }] }),
    },
    seen,
    NOW,
  );
}

describe('the time until all that is due is sent', () => {
  test('is there at the first look, from what has ended since it began to run', () => {
    expect(eta({ delivered: 90, failed: 10, queued: 195, sending: 5 })?.seconds).toBe(20);
    // Half of it had ended before it was paused for a week.
    expect(eta({ delivered: 100, queued: 100 }, { endedBefore: 50 })?.seconds).toBe(20);
  });

  test('says what it leaves out, and is there although items are scheduled', () => {
    expect(eta({ delivered: 100, queued: 100, scheduled: 7, unknown: 2 })).toEqual({
      seconds: 10,
      leavesOut: { scheduled: 7, unknown: 2 },
    });
    expect(eta({ delivered: 1, scheduled: 7 })).toEqual({
      seconds: 0,
      leavesOut: { scheduled: 7, unknown: 0 },
    });
  });

  test('follows what was seen lately, and is never faster than its limit', () => {
    expect(eta({ delivered: 100, queued: 100 }, { seen: 50 })?.seconds).toBe(2);
    expect(eta({ delivered: 100, queued: 100 }, { seen: 50, ratePerSecond: 4 })?.seconds).toBe(25);
    expect(eta({ queued: 100 }, { ratePerSecond: 4 })?.seconds).toBe(25);
  });

  test.each(['endpoint_disabled', 'freeze_window', 'circuit'] as const)(
    'is unknown while something that is due waits for %s',
    (waitsFor) => {
      expect(eta({ delivered: 100, queued: 10 }, { seen: 50, ratePerSecond: 50, waitsFor })).toBeUndefined();
      expect(eta({ delivered: 100 }, { waitsFor })?.seconds).toBe(0);
      expect(eta({ delivered: 100, queued: 10 }, { seen: 5, waitsFor: 'rate' })?.seconds).toBe(2);
    },
  );

  test('is unknown before anything tells how fast it is, and while it does not run', () => {
    expect(eta({ queued: 100 })).toBeUndefined();
    for (const state of OPERATION_STATES.filter((each) => each !== 'running'))
      expect(eta({ delivered: 100, queued: 100 }, { state })).toBeUndefined();
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CAREFUL, paceOf, paceSearch, secondsAt } from '../../console/src/screens/recover/pace.ts';

const number = fc.integer({ min: 1, max: 10_000 });
const pace = fc.record(
  {
    ratePerSecond: number,
    canary: fc.record({ count: number, maxFailurePercent: fc.integer({ min: 0, max: 99 }) }),
    ramp: fc.record({ startPerSecond: number, everySeconds: number }),
    haltAtFailurePercent: fc.integer({ min: 1, max: 99 }),
  },
  { requiredKeys: [] },
);

describe('the pace of a recovery', () => {
  test('is read from the URL as it was written into it', () => {
    fc.assert(fc.property(pace, (each) => expect(paceOf(paceSearch(each))).toEqual(each)));
  });

  test('is careful where the URL says nothing, and where it says nonsense it has no such limit', () => {
    expect(paceOf({})).toEqual(CAREFUL);
    expect(paceOf({ rate: 'fast', canary: '25', halt: '-1' })).toEqual({});
  });

  test('takes at least as long as its rate allows, and longer with a ramp', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000 }),
        number,
        pace,
        (requests, ratePerSecond, { ramp }) => {
          const plain = secondsAt(requests, { ratePerSecond }) ?? 0;
          expect(plain).toBe(Math.ceil(requests / ratePerSecond));
          const slow = ramp && { ...ramp, startPerSecond: Math.min(ramp.startPerSecond, ratePerSecond) };
          if (slow) expect(secondsAt(requests, { ratePerSecond, ramp: slow })).toBeGreaterThanOrEqual(plain);
        },
      ),
    );
  });

  test('doubles its rate after each span', () => {
    // 5/s for a minute, 10/s for a minute, then 20/s: 300 + 600 + 100.
    expect(secondsAt(1_000, { ratePerSecond: 20, ramp: { startPerSecond: 5, everySeconds: 60 } })).toBe(125);
    expect(secondsAt(1_000, {})).toBeUndefined();
  });
});

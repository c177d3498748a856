import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../src/domain/sending/backoff.ts';

const POLICY = { initialMs: 5_000, factor: 2, capMs: 60_000 };

const anyPolicy = fc.record({
  initialMs: fc.integer({ min: 1, max: 60_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  capMs: fc.integer({ min: 1, max: 86_400_000 }),
});
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyAttempt = fc.integer({ min: 1, max: 2_000 });

describe('the backoff', () => {
  test('grows by the factor up to the cap', () => {
    expect([1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(POLICY, attempt, 0))).toEqual([
      5_000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
  });

  test('is jittered upward only, by at most a tenth', () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (policy, attempt, random) => {
        const bare = backoffMs(policy, attempt, 0);
        const jittered = backoffMs(policy, attempt, random);
        expect(jittered).toBeGreaterThanOrEqual(bare);
        expect(jittered).toBeLessThanOrEqual(bare * 1.1 + 1);
      }),
    );
  });

  test('never shrinks from one attempt to the next and is always a whole, finite number', () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (policy, attempt, random) => {
        const wait = backoffMs(policy, attempt, random);
        expect(Number.isSafeInteger(wait)).toBe(true);
        expect(backoffMs(policy, attempt + 1, random)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });
});

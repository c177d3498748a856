import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../src/domain/sending/backoff.ts';
import type { Classification } from '../../src/domain/sending/classification.ts';
import { decideNext, type Situation } from '../../src/domain/sending/decide-next.ts';
import { ON_AMBIGUOUS } from '../../src/domain/sending/retry-policy.ts';

const OUTCOMES = ['delivered', 'retryable', 'permanent', 'gone', 'ambiguous', 'unsent', 'released'] as const;
const TRIED_AGAIN = ['retryable', 'unsent', 'ambiguous'];

const anySituation: fc.Arbitrary<Situation> = fc.record({
  outcome: fc
    .record({
      outcome: fc.constantFrom(...OUTCOMES),
      retryAfterMs: fc.option(fc.nat({ max: 3_600_000 }), { nil: undefined }),
    })
    .map(
      ({ outcome, retryAfterMs }): Classification => ({
        outcome,
        mayHaveArrived: outcome === 'ambiguous',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }),
    ),
  attempts: fc.integer({ min: 1, max: 120 }),
  policy: fc.record({
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    initialMs: fc.nat({ max: 86_400_000 }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    capMs: fc.nat({ max: 86_400_000 }),
  }),
  onAmbiguous: fc.constantFrom(...ON_AMBIGUOUS),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

function always(holds: (situation: Situation, next: ReturnType<typeof decideNext>) => void): void {
  fc.assert(
    fc.property(anySituation, (situation) => holds(situation, decideNext(situation))),
    { numRuns: 500 },
  );
}

/** What is taken and not acknowledged is never sent again by itself, whatever the policy. */
function isUnknown(
  { outcome, faultCode }: Situation['outcome'],
  onAmbiguous: Situation['onAmbiguous'],
): boolean {
  return outcome === 'ambiguous' && (faultCode === 'unacknowledged' || onAmbiguous !== 'resend');
}

describe('what follows an attempt', () => {
  test('is delivered after an acknowledgement and after nothing else', () => {
    always(({ outcome }, next) => expect(next.state === 'delivered').toBe(outcome.outcome === 'delivered'));
  });

  test('is the queue again for what was released, however often it was attempted', () => {
    always(({ outcome }, next) => expect(next.state === 'queued').toBe(outcome.outcome === 'released'));
  });

  test('is another try only while the policy allows one, and a failure after the last', () => {
    always(({ outcome, attempts, policy, onAmbiguous }, next) => {
      const triedAgain = TRIED_AGAIN.includes(outcome.outcome) && !isUnknown(outcome, onAmbiguous);
      expect(next.state === 'scheduled').toBe(triedAgain && attempts < policy.maxAttempts);
      if (triedAgain && attempts >= policy.maxAttempts)
        expect(next).toEqual({ state: 'failed', reason: 'exhausted' });
    });
  });

  test('waits neither less than the backoff nor less than Retry-After', () => {
    always(({ outcome, attempts, policy, random }, next) => {
      if (next.state !== 'scheduled') return;
      expect(next.delayMs).toBe(Math.max(backoffMs(policy, attempts, random), outcome.retryAfterMs ?? 0));
      expect(Number.isSafeInteger(next.delayMs)).toBe(true);
    });
  });

  test('is never a plain failure where it may have arrived and is not to be sent again: it is unknown, also after the last try', () => {
    always(({ outcome, onAmbiguous }, next) => {
      expect(next.state === 'unknown').toBe(isUnknown(outcome, onAmbiguous));
      if (next.state === 'unknown') expect(next.probes).toBe(onAmbiguous === 'probe');
    });
  });

  test.each([
    ['permanent', 'permanent'],
    ['gone', 'gone'],
  ] as const)('is a failure at once for %s', (outcome, reason) => {
    always((situation) =>
      expect(decideNext({ ...situation, outcome: { outcome, mayHaveArrived: false } })).toEqual({
        state: 'failed',
        reason,
      }),
    );
  });
});

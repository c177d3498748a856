import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../src/domain/sending/backoff.ts';
import type { Classification } from '../../../src/domain/sending/classification.ts';
import { decideNext, type Situation } from '../../../src/domain/sending/decide-next.ts';
import { ON_AMBIGUOUS } from '../../../src/domain/sending/retry-policy.ts';

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

/** A request that was taken and not acknowledged is never sent again by itself, whatever the policy. */
function isUnknown(
  { outcome, faultCode }: Situation['outcome'],
  onAmbiguous: Situation['onAmbiguous'],
): boolean {
  return outcome === 'ambiguous' && (faultCode === 'unacknowledged' || onAmbiguous !== 'resend');
}

describe('the state after an attempt', () => {
  test('is delivered after an acknowledgement and after nothing else', () => {
    always(({ outcome }, next) => expect(next.state === 'delivered').toBe(outcome.outcome === 'delivered'));
  });

  test('is queued again after a release, however often it was attempted', () => {
    always(({ outcome }, next) => expect(next.state === 'queued').toBe(outcome.outcome === 'released'));
  });

  test('is scheduled only while the policy allows another try, and failed after the last', () => {
    always(({ outcome, attempts, policy, onAmbiguous }, next) => {
      const triedAgain = TRIED_AGAIN.includes(outcome.outcome) && !isUnknown(outcome, onAmbiguous);
      expect(next.state === 'scheduled').toBe(triedAgain && attempts < policy.maxAttempts);
      if (triedAgain && attempts >= policy.maxAttempts)
        expect(next).toEqual({ state: 'failed', reason: 'exhausted' });
    });
  });

  test('is scheduled for no sooner than the backoff and Retry-After allow', () => {
    always(({ outcome, attempts, policy, random }, next) => {
      if (next.state !== 'scheduled') return;
      expect(next.delayMs).toBe(Math.max(backoffMs(policy, attempts, random), outcome.retryAfterMs ?? 0));
      expect(Number.isSafeInteger(next.delayMs)).toBe(true);
    });
  });

  test('is never plainly failed where it may have arrived and is not to be sent again: it is unknown, also after the last try', () => {
    always(({ outcome, onAmbiguous }, next) => {
      expect(next.state === 'unknown').toBe(isUnknown(outcome, onAmbiguous));
      if (next.state === 'unknown') expect(next.probes).toBe(onAmbiguous === 'probe');
    });
  });

  test.each([
    ['permanent', 'permanent'],
    ['gone', 'gone'],
  ] as const)('is failed at once where it was %s', (outcome, reason) => {
    always((situation) =>
      expect(decideNext({ ...situation, outcome: { outcome, mayHaveArrived: false } })).toEqual({
        state: 'failed',
        reason,
      }),
    );
  });
});

describe('an attempt that our own proxy kept back', () => {
  const keptBack: Classification = { outcome: 'unsent', faultCode: 'proxy_failed', mayHaveArrived: false };
  const policy = { maxAttempts: 1, initialMs: 86_400_000, factor: 100, capMs: 86_400_000 };
  const following = (situation: Partial<Situation>) =>
    decideNext({ outcome: keptBack, attempts: 1, policy, onAmbiguous: 'resend', random: 0, ...situation });

  test('is made again whatever the policy allows, soon at first and at least every five minutes', () => {
    const delays = [0, 1, 2, 8, 9, 1_000].map((all) =>
      following({ attempts: all + 1, lost: { all, inARow: 0 } }),
    );
    expect(delays).toEqual(
      [1_000, 2_000, 4_000, 256_000, 300_000, 300_000].map((delayMs) => ({ state: 'scheduled', delayMs })),
    );
  });

  test('leaves the receiver every one of its attempts, also behind senders that were lost', () => {
    const refused: Classification = {
      outcome: 'unsent',
      faultCode: 'connection_refused',
      mayHaveArrived: false,
    };
    const three = { ...policy, maxAttempts: 3 };
    const lost = { all: 50, inARow: 0 };
    expect(following({ outcome: refused, attempts: 52, lost, policy: three }).state).toBe('scheduled');
    expect(following({ outcome: refused, attempts: 53, lost, policy: three }).state).toBe('failed');
    const lease: Classification = { outcome: 'ambiguous', faultCode: 'lease_lost', mayHaveArrived: true };
    const fourLost = { all: 54, inARow: 4 };
    const five = { ...policy, maxAttempts: 5 };
    expect(following({ outcome: lease, attempts: 54, lost: fourLost, policy: five }).state).toBe('scheduled');
    expect(following({ outcome: lease, attempts: 54, lost: fourLost, policy: three }).state).toBe('failed');
  });
});

describe('an attempt whose sender was lost', () => {
  const lost: Classification = { outcome: 'ambiguous', faultCode: 'lease_lost', mayHaveArrived: true };
  const policy = { maxAttempts: 1, initialMs: 100, factor: 2, capMs: 1_000 };
  const following = (situation: Partial<Situation>) =>
    decideNext({ outcome: lost, attempts: 1, policy, onAmbiguous: 'resend', random: 0, ...situation });

  test('is made again whatever the policy allows, at once and then by its backoff, three times in a row at most', () => {
    for (const [inARow, delayMs] of [
      [1, 0],
      [2, 100],
      [3, 100],
    ] as const)
      expect(following({ attempts: inARow, lost: { all: inARow, inARow } })).toEqual({
        state: 'scheduled',
        delayMs,
      });
    expect(following({ attempts: 4, lost: { all: 4, inARow: 4 } })).toEqual({
      state: 'failed',
      reason: 'exhausted',
    });
  });

  test('beyond three in a row counts as any other, as far as the policy goes', () => {
    const more = { ...policy, maxAttempts: 6 };
    for (const n of [4, 5])
      expect(following({ attempts: n, policy: more, lost: { all: n, inARow: n } })).toMatchObject({
        state: 'scheduled',
      });
    expect(following({ attempts: 6, policy: more, lost: { all: 6, inARow: 6 } })).toMatchObject({
      state: 'failed',
    });
  });

  test.each(['hold', 'probe'] as const)('is unknown under %s, as ever', (onAmbiguous) => {
    expect(following({ onAmbiguous, lost: { all: 1, inARow: 1 } })).toEqual({
      state: 'unknown',
      probes: onAmbiguous === 'probe',
    });
  });

  test('is none of those that the receiver is allowed', () => {
    fc.assert(
      fc.property(anySituation, fc.nat({ max: 50 }), (situation, all) => {
        const shifted = { ...situation, attempts: situation.attempts + all, lost: { all, inARow: 0 } };
        expect(decideNext(shifted)).toEqual(decideNext(situation));
      }),
    );
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  BULK_AHEAD_MS,
  BULK_LATE_MS,
  concurrencyShare,
  liveBurstMs,
  reserve,
} from '../../src/domain/sending/pacing.ts';

type Lane = 'bulk' | 'live';

const anyRate = fc.oneof(
  fc.double({ min: 0.05, max: 5, noNaN: true }),
  fc.double({ min: 5, max: 5_000, noNaN: true }),
);
const anyAsking = (lane: fc.Arbitrary<Lane>) =>
  fc.array(
    fc.record({
      lane,
      afterMs: fc.oneof(fc.constant(0), fc.nat({ max: 2_000 })),
      wanted: fc.integer({ min: 1, max: 500 }),
    }),
    {
      minLength: 1,
      maxLength: 60,
    },
  );

/** Everything that is granted to these askings, with its time. */
function grants(rate: number, asking: { lane: Lane; afterMs: number; wanted: number }[]) {
  let [nowMs, arrivalMs] = [1_000_000, 0];
  return asking.map(({ lane, afterMs, wanted }) => {
    nowMs += afterMs;
    const { granted, arrivalMs: next } = reserve(arrivalMs, nowMs, rate, wanted, lane);
    expect(next).toBeGreaterThanOrEqual(arrivalMs);
    arrivalMs = next;
    return { nowMs, granted, wanted, lane, arrivalMs };
  });
}

describe('the rate', () => {
  test.each(['bulk', 'live'] as const)(
    'of %s work is not exceeded over any span, beyond the lane’s burst',
    (lane) => {
      fc.assert(
        fc.property(anyRate, anyAsking(fc.constant(lane)), (rate, asking) => {
          const all = grants(rate, asking);
          const intervalMs = 1_000 / rate;
          const aheadMs = lane === 'bulk' ? BULK_AHEAD_MS + BULK_LATE_MS : liveBurstMs(rate);
          for (let from = 0; from < all.length; from++) {
            let sent = 0;
            for (const { nowMs, granted } of all.slice(from)) {
              sent += granted;
              const spanMs = nowMs - (all[from]?.nowMs ?? 0);
              expect(sent * intervalMs).toBeLessThanOrEqual(spanMs + aheadMs + intervalMs + 1e-6);
            }
          }
        }),
      );
    },
  );

  test('of both lanes together is not exceeded over any span, beyond the live burst', () => {
    fc.assert(
      fc.property(anyRate, anyAsking(fc.constantFrom('bulk', 'live')), (rate, asking) => {
        const all = grants(rate, asking);
        const intervalMs = 1_000 / rate;
        const sent = all.reduce((sum, { granted }) => sum + granted, 0);
        const spanMs = (all.at(-1)?.nowMs ?? 0) - (all[0]?.nowMs ?? 0);
        expect(sent * intervalMs).toBeLessThanOrEqual(
          spanMs + liveBurstMs(rate) + BULK_LATE_MS + intervalMs + 1e-6,
        );
      }),
    );
  });

  test('is given to bulk work only when its time has come, and then at least one', () => {
    fc.assert(
      fc.property(anyRate, anyAsking(fc.constantFrom('bulk', 'live')), (rate, asking) => {
        let arrivalMs = 0;
        for (const grant of grants(rate, asking)) {
          if (grant.lane === 'bulk') expect(grant.granted > 0).toBe(arrivalMs <= grant.nowMs);
          expect(grant.granted).toBeLessThanOrEqual(grant.wanted);
          arrivalMs = grant.arrivalMs;
        }
      }),
    );
  });

  test('lets a live request through at once, however hard bulk work presses and however slow the rate', () => {
    fc.assert(
      fc.property(anyRate, anyAsking(fc.constant('bulk')), (rate, asking) => {
        for (const { nowMs, arrivalMs } of grants(rate, asking))
          expect(reserve(arrivalMs, nowMs, rate, 1, 'live').granted).toBe(1);
      }),
    );
  });
});

describe('the concurrency', () => {
  test('leaves bulk work at least one and live work a quarter wherever there is more than one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (most) => {
        const bulk = concurrencyShare(most, 'bulk');
        expect(concurrencyShare(most, 'live')).toBe(most);
        expect(bulk).toBeGreaterThanOrEqual(1);
        if (most > 1) expect(most - bulk).toBeGreaterThanOrEqual(Math.floor(most / 4) || 1);
      }),
    );
  });
});

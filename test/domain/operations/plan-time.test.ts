import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type EndpointPace, timeToFinish } from '../../../src/domain/operations/plan-time.ts';
import { present } from '../../../src/domain/present.ts';

const limit = (most: number) =>
  fc.option(fc.double({ min: 0.01, max: most, noNaN: true }), { nil: undefined });
const anyPace: fc.Arbitrary<EndpointPace> = fc
  .record({
    sends: fc.nat(100_000),
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    ratePerSecond: limit(1_000),
    concurrency: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
    latencyMs: limit(60_000),
  })
  .map((pace) => present({ ...pace, latencyMs: pace.latencyMs && Math.min(pace.latencyMs, pace.timeoutMs) }));

describe('the time that a plan takes', () => {
  test('is that of its slowest endpoint, and never ends before it can', () => {
    fc.assert(
      fc.property(fc.array(anyPace, { maxLength: 5 }), limit(1_000), (endpoints, ratePerSecond) => {
        const { total, each } = timeToFinish(endpoints, present({ ratePerSecond }));
        expect(each).toHaveLength(endpoints.length);
        expect(total.minSeconds).toBe(Math.max(0, ...each.map(({ minSeconds }) => minSeconds)));
        for (const { minSeconds, maxSeconds } of [total, ...each])
          expect(maxSeconds ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(minSeconds);
        const all = endpoints.reduce((sum, { sends }) => sum + sends, 0);
        if (ratePerSecond && all > 0)
          expect(total.minSeconds + 1e-6 * total.minSeconds + 1).toBeGreaterThan(all / ratePerSecond);
      }),
    );
  });

  test('counts a rate, its share of the rate of the operation, and concurrency over latency', () => {
    const base = { sends: 100, timeoutMs: 10_000 };
    expect(timeToFinish([base], {}).total).toEqual({ minSeconds: 0 });
    expect(timeToFinish([{ ...base, ratePerSecond: 10 }], {}).total).toEqual({
      minSeconds: 10,
      maxSeconds: 14,
    });
    expect(timeToFinish([{ ...base, concurrency: 4, latencyMs: 100 }], {}).total).toEqual({
      minSeconds: 3,
      maxSeconds: 334,
    });
    const two = timeToFinish([base, { ...base, sends: 300 }], { ratePerSecond: 10 });
    expect(two).toEqual({
      total: { minSeconds: 40, maxSeconds: 40 },
      each: [
        { minSeconds: 40, maxSeconds: 40 },
        { minSeconds: 40, maxSeconds: 40 },
      ],
    });
    expect(timeToFinish([{ ...base, sends: 0 }], { ratePerSecond: 1 }).total).toEqual({
      minSeconds: 0,
      maxSeconds: 0,
    });
  });
});

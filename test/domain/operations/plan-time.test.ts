import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type EndpointPace,
  type OperationPace,
  timeToFinish,
} from '../../../src/domain/operations/plan-time.ts';
import { present } from '../../../src/domain/present.ts';

const limit = (most: number) =>
  fc.option(fc.double({ min: 0.01, max: most, noNaN: true }), { nil: undefined });
const slots = fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined });
const anyPace: fc.Arbitrary<EndpointPace> = fc
  .record({
    sends: fc.nat(100_000),
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    ratePerSecond: limit(1_000),
    maxConcurrency: slots,
    window: fc.option(fc.double({ min: 1, max: 127, noNaN: true }), { nil: undefined }),
    latencyMs: limit(60_000),
    ordered: fc.boolean(),
    rests: fc.array(
      fc
        .record({
          fromMs: fc.integer({ min: -9_000, max: 900_000 }),
          lastsMs: fc.integer({ min: 1, max: 60_000 }),
        })
        .map(({ fromMs, lastsMs }) => ({ fromMs, toMs: fromMs + lastsMs })),
      { maxLength: 3 },
    ),
  })
  .map((pace) => present(pace));
const anyOperation: fc.Arbitrary<OperationPace> = fc
  .record({
    ratePerSecond: limit(1_000),
    maxConcurrency: slots,
    canary: fc.boolean(),
    ramp: fc.option(
      fc.record({
        startPerSecond: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
        everySeconds: fc.integer({ min: 1, max: 3_600 }),
      }),
      { nil: undefined },
    ),
  })
  .map(({ ramp, ratePerSecond, ...rest }) =>
    present({
      ...rest,
      ramp,
      // A ramp leads to more than it begins with.
      ratePerSecond: ratePerSecond && Math.max(ratePerSecond, 2 * (ramp?.startPerSecond ?? 0)),
    }),
  );

const BASE = { sends: 100, timeoutMs: 10_000 };
const total = (endpoints: EndpointPace[], operation: OperationPace = {}) =>
  timeToFinish(endpoints, operation).total;

describe('the time that a plan takes', () => {
  test('is no less than that of its slowest endpoint, and never ends before it can', () => {
    fc.assert(
      fc.property(fc.array(anyPace, { maxLength: 5 }), anyOperation, (endpoints, operation) => {
        const { total: whole, each } = timeToFinish(endpoints, operation);
        expect(each).toHaveLength(endpoints.length);
        expect(whole.minSeconds).toBeGreaterThanOrEqual(Math.max(0, ...each.map((time) => time.minSeconds)));
        for (const { minSeconds, maxSeconds } of [whole, ...each])
          expect(maxSeconds ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(minSeconds);
        const all = endpoints.reduce((sum, { sends }) => sum + sends, 0);
        const { ratePerSecond } = operation;
        if (ratePerSecond && all > 0)
          expect((whole.minSeconds + 1) * (1 + 1e-6)).toBeGreaterThan((all - 1) / ratePerSecond);
      }),
    );
  });

  test('is longer with more deliveries, a lower rate, or another rest', () => {
    fc.assert(
      fc.property(anyPace, anyOperation, (pace, operation) => {
        const before = total([pace], operation);
        const rest = { fromMs: 0, toMs: 60_000 };
        const slower = present({
          ...operation,
          ratePerSecond: operation.ratePerSecond && operation.ratePerSecond / 2,
        });
        for (const after of [
          total([{ ...pace, sends: pace.sends + 1_000 }], operation),
          total([{ ...pace, rests: [...(pace.rests ?? []), rest] }], operation),
          ...(operation.ramp ? [] : [total([pace], slower)]),
        ]) {
          expect(after.minSeconds).toBeGreaterThanOrEqual(before.minSeconds);
          expect(after.maxSeconds ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(before.maxSeconds ?? 0);
        }
      }),
    );
  });

  test('is unknown at worst where nothing limits it, and nothing where nothing is sent', () => {
    expect(total([BASE])).toEqual({ minSeconds: 0 });
    expect(total([{ ...BASE, latencyMs: 100 }])).toEqual({ minSeconds: 0 });
    expect(total([{ ...BASE, sends: 0 }], { ratePerSecond: 1 })).toEqual({ minSeconds: 0, maxSeconds: 0 });
  });

  test('counts a rate between the first send and the last, and beyond it Redrive’s own work', () => {
    // 99 intervals; at worst three quarters of the rate, a tenth more, five seconds, and half a millisecond each.
    expect(total([{ ...BASE, ratePerSecond: 10 }])).toEqual({ minSeconds: 9, maxSeconds: 20 });
    // Live traffic takes nothing of an operation's own rate.
    expect(total([{ ...BASE, sends: 2_000 }], { ratePerSecond: 100 })).toEqual({
      minSeconds: 19,
      maxSeconds: 28,
    });
  });

  test('of one endpoint is at best that of its own deliveries, and at worst that of all', () => {
    const { total: whole, each } = timeToFinish([BASE, { ...BASE, sends: 300 }], { ratePerSecond: 10 });
    expect(each.map(({ minSeconds }) => minSeconds)).toEqual([9, 29]);
    expect(each.map(({ maxSeconds }) => maxSeconds)).toEqual([50, 50]);
    expect(whole).toEqual({ minSeconds: 39, maxSeconds: 50 });
  });

  test('counts the share of concurrency that bulk work has, until the answer is written down', () => {
    // Three of four slots, 112.5 ms each: 33.3 rounds.
    expect(total([{ ...BASE, maxConcurrency: 4, latencyMs: 100 }])).toEqual({
      minSeconds: 3,
      maxSeconds: Math.ceil(((100 * 10.25) / 3) * 1.1 + 5.05),
    });
    expect(total([{ ...BASE, latencyMs: 100 }], { maxConcurrency: 2 }).minSeconds).toBe(5);
    expect(total([{ ...BASE, maxConcurrency: 100, ordered: true }]).maxSeconds).toBe(
      Math.ceil(1_025 * 1.1 + 5.05),
    );
  });

  test('counts at best a window that grows, and at worst the present one', () => {
    const narrow = { sends: 1_500, timeoutMs: 10_000, latencyMs: 87.5 };
    const still = total([{ ...narrow, maxConcurrency: 2 }]);
    const growing = total([{ ...narrow, window: 2 }]);
    expect(still.minSeconds).toBe(150);
    expect(growing.minSeconds).toBeLessThan(5);
    expect(growing.maxSeconds).toBe(still.maxSeconds);
    // It grows no further than what is allowed.
    expect(total([{ ...narrow, window: 2, maxConcurrency: 4 }]).minSeconds).toBeGreaterThan(45);
  });

  test('counts a ramp: doubled with each span at best, later where answers take long', () => {
    const ramp = { startPerSecond: 10, everySeconds: 2 };
    // 20 + 40 + 80 + 160 + 320 in ten seconds, the other 379 at 320 a second.
    expect(total([{ ...BASE, sends: 1_000 }], { ramp })).toEqual({
      minSeconds: 11,
      maxSeconds: expect.any(Number),
    });
    expect(total([{ ...BASE, sends: 1_000 }], { ramp, ratePerSecond: 20 }).minSeconds).toBe(50);
    const late = (timeoutMs: number) =>
      total([{ ...BASE, sends: 1_000, timeoutMs }], { ramp }).maxSeconds ?? 0;
    expect(late(20_000)).toBeGreaterThan(late(1_000) + 10);
    // Behind its last doubling it limits nothing.
    expect(total([{ ...BASE, sends: 10_000_000 }], { ramp })).toEqual({ minSeconds: 20 });
  });

  test('counts at worst the judgement of a canary', () => {
    const of = (timeoutMs: number, canary: boolean) =>
      total([{ ...BASE, timeoutMs }], { ratePerSecond: 10, canary }).maxSeconds ?? 0;
    expect(of(10_000, true) - of(10_000, false)).toBe(12);
    expect(of(600_000, true) - of(600_000, false)).toBeLessThan(70);
  });

  test('stands still while a freeze window closes its endpoint', () => {
    const paced = { ...BASE, ratePerSecond: 10 };
    const rests = [{ fromMs: 5_000, toMs: 65_000 }];
    expect(total([{ ...paced, rests }])).toEqual({ minSeconds: 69, maxSeconds: 80 });
    expect(total([{ ...paced, rests: [{ fromMs: 21_000, toMs: 65_000 }] }])).toEqual({
      minSeconds: 9,
      maxSeconds: 20,
    });
    // Others go on meanwhile, at the pace of the operation.
    const { total: whole, each } = timeToFinish([{ ...BASE, rests }, BASE], { ratePerSecond: 10 });
    expect(each.map(({ minSeconds }) => minSeconds)).toEqual([69, 9]);
    expect(whole.minSeconds).toBe(69);
    const rested = timeToFinish(
      [
        { ...BASE, rests },
        { ...BASE, rests },
      ],
      { ratePerSecond: 10 },
    );
    expect(rested.total.minSeconds).toBe(79);
  });

  test('has no end where nobody knows when a window does', () => {
    const rests = [{ fromMs: 2_000, toMs: Number.POSITIVE_INFINITY }];
    expect(total([{ ...BASE, ratePerSecond: 10, rests }])).toEqual({ minSeconds: 9 });
  });
});

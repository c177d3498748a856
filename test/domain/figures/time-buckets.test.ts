import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  BUCKET_MS,
  bucketStarts,
  bucketsOf,
  filled,
  GRANULARITIES,
} from '../../../src/domain/figures/time-buckets.ts';

const at = (text: string) => Date.parse(text);

describe('the buckets of a range', () => {
  test('begin with the one that holds its beginning, and end with the one that holds its end', () => {
    const buckets = bucketsOf(at('2026-11-03T01:59:30Z'), at('2026-11-03T04:00:01Z'), 'hour');
    expect(bucketStarts(buckets).map((ms) => new Date(ms).toISOString())).toEqual([
      '2026-11-03T01:00:00.000Z',
      '2026-11-03T02:00:00.000Z',
      '2026-11-03T03:00:00.000Z',
      '2026-11-03T04:00:00.000Z',
    ]);
    expect(new Date(buckets.toMs).toISOString()).toBe('2026-11-03T05:00:00.000Z');
  });

  test('do not hold the end of the range, which does not belong to it', () => {
    expect(bucketsOf(at('2026-11-03T02:00:00Z'), at('2026-11-03T03:00:00Z'), 'hour').count).toBe(1);
    expect(bucketsOf(at('2026-11-03T02:00:00Z'), at('2026-11-03T02:00:00Z'), 'hour').count).toBe(0);
  });

  test('follow one another without a gap, and cover the range', () => {
    const time = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
    const length = fc.integer({ min: 1, max: 1_000 * BUCKET_MS.minute });
    fc.assert(
      fc.property(time, length, fc.constantFrom(...GRANULARITIES), (fromMs, lengthMs, granularity) => {
        const buckets = bucketsOf(fromMs, fromMs + lengthMs, granularity);
        const starts = bucketStarts(buckets);
        expect(starts.length).toBe(buckets.count);
        expect(starts[0]).toBeLessThanOrEqual(fromMs);
        expect((starts[0] ?? 0) + BUCKET_MS[granularity]).toBeGreaterThan(fromMs);
        expect(buckets.toMs).toBeGreaterThanOrEqual(fromMs + lengthMs);
        expect(buckets.toMs - BUCKET_MS[granularity]).toBeLessThan(fromMs + lengthMs);
        for (const [n, start] of starts.entries())
          expect(start).toBe((starts[0] ?? 0) + n * BUCKET_MS[granularity]);
      }),
    );
  });
});

describe('counts by bucket', () => {
  const buckets = bucketsOf(at('2026-11-03T02:00:00Z'), at('2026-11-03T02:05:00Z'), 'minute');

  test('are 0 where none is named, and those of other times are left out', () => {
    const counts = [
      { atMs: at('2026-11-03T02:01:00Z'), count: 3 },
      { atMs: at('2026-11-03T02:04:00Z'), count: 1 },
      { atMs: at('2026-11-03T02:05:00Z'), count: 7 },
      { atMs: at('2026-11-03T01:59:00Z'), count: 7 },
    ];
    expect(filled(buckets, counts)).toEqual([0, 3, 0, 0, 1]);
  });

  test('that are named twice are summed', () => {
    const one = { atMs: at('2026-11-03T02:01:00Z'), count: 3 };
    expect(filled(buckets, [one, one])).toEqual([0, 6, 0, 0, 0]);
  });
});

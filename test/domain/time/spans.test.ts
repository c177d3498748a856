import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { common, endsAt, type Span, united } from '../../../src/domain/time/spans.ts';

const END = 40;
const anySpans: fc.Arbitrary<Span[]> = fc.array(
  fc
    .record({ fromMs: fc.integer({ min: -5, max: END }), lastsMs: fc.integer({ min: 1, max: 9 }) })
    .map(({ fromMs, lastsMs }) => ({ fromMs, toMs: fromMs + lastsMs })),
  { maxLength: 5 },
);
const covers = (spans: readonly Span[], ms: number) =>
  spans.some(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
const EACH_MS = Array.from({ length: 2 * END }, (_, n) => n - 10);

test('united spans are the same times, in order, and do not touch', () => {
  fc.assert(
    fc.property(anySpans, (spans) => {
      const whole = united(spans);
      for (const ms of EACH_MS) expect(covers(whole, ms)).toBe(covers(spans, ms));
      for (const [n, { fromMs }] of whole.entries())
        expect(fromMs).toBeGreaterThan(whole[n - 1]?.toMs ?? Number.NEGATIVE_INFINITY);
    }),
  );
});

test('common spans are the times that every list has', () => {
  fc.assert(
    fc.property(fc.array(anySpans.map(united), { minLength: 1, maxLength: 4 }), (lists) => {
      const shared = common(lists);
      for (const ms of EACH_MS) expect(covers(shared, ms)).toBe(lists.every((list) => covers(list, ms)));
      expect(united(shared)).toEqual(shared);
    }),
  );
  expect(common([])).toEqual([]);
});

test('what stands still in spans ends when it has gone on for its time', () => {
  fc.assert(
    fc.property(anySpans.map(united), fc.integer({ min: 0, max: 20 }), (stillIn, lastsMs) => {
      let endMs = 0;
      for (let left = lastsMs; left > 0; endMs++) if (!covers(stillIn, endMs)) left -= 1;
      expect(endsAt(lastsMs, stillIn)).toBe(endMs);
    }),
  );
  expect(endsAt(3, [{ fromMs: 1, toMs: Number.POSITIVE_INFINITY }])).toBe(Number.POSITIVE_INFINITY);
  expect(endsAt(0, [{ fromMs: -1, toMs: 1 }])).toBe(0);
  expect(endsAt(1, [{ fromMs: 1, toMs: Number.POSITIVE_INFINITY }])).toBe(1);
});

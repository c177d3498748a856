import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type EventFilter, filterFaults, matchesFilter } from '../../../src/domain/endpoints/event-filter.ts';
import { contradictions } from '../../../src/domain/endpoints/filter-contradiction.ts';

test.each<[EventFilter, string]>([
  [{ a: { $in: [] } }, 'a'],
  [{ a: { $gt: 5, $lt: 3 } }, 'a'],
  [{ a: { $gt: 5, $lt: 5 } }, 'a'],
  [{ a: { $gte: 5, $lt: 5 } }, 'a'],
  [{ a: { $gte: 5, $lte: 5, $ne: 5 } }, 'a'],
  [{ a: { $gt: 1, $lt: '9' } }, 'a'],
  [{ a: { $gt: 'b', $lte: 'a' } }, 'a'],
  [{ a: { $eq: 1, $ne: 1 } }, 'a'],
  [{ a: { $eq: 1, $gt: 1 } }, 'a'],
  [{ a: { $in: [1, 2], $nin: [2, 1] } }, 'a'],
  [{ a: { $in: ['x', 2], $gt: 2 } }, 'a'],
  [{ a: { $exists: false, $eq: null } }, 'a'],
  [{ a: { $exists: false, $gt: 0 } }, 'a'],
  [{ a: 1, 'a.b': 2 }, 'a.b'],
  [{ 'a.b.c': { $exists: true }, a: { $exists: false } }, 'a.b.c'],
  [{ 'a\\.b': { $in: [] } }, 'a\\.b'],
])('%j matches nothing', (filter, path) => {
  expect(filterFaults(filter)).toEqual([]);
  expect(contradictions(filter)).toMatchObject([{ path: [path], code: 'never_matches' }]);
});

test.each<[EventFilter]>([
  [{}],
  [{ a: { $gte: 5, $lte: 5 } }],
  [{ a: { $gt: 3, $lt: 5 } }],
  [{ a: { $exists: false, $ne: 1 } }],
  [{ a: { $nin: [] } }],
  [{ a: 1, 'a.b': { $exists: false } }],
  [{ a: 1, 'a\\.b': 2, ab: 3 }],
  [{ a: { $ne: 1 }, 'a.b': 2 }],
  [{ a: { $exists: true }, 'a.b': 2 }],
  [{ a: { $in: [1, 2], $ne: 1 } }],
])('%j can match', (filter) => {
  expect(contradictions(filter)).toEqual([]);
});

test('a filter that is called a contradiction matches no payload', () => {
  const scalar = fc.constantFrom<(string | number | boolean | null)[]>(1, 2, 'a', 'b', true, null);
  const bound = fc.constantFrom(1, 2, 'a', 'b');
  const condition = fc.oneof(
    scalar,
    fc
      .record(
        {
          $eq: scalar,
          $ne: scalar,
          $gt: bound,
          $gte: bound,
          $lt: bound,
          $lte: bound,
          $in: fc.array(scalar, { maxLength: 2 }),
          $nin: fc.array(scalar, { maxLength: 2 }),
          $exists: fc.boolean(),
        },
        { requiredKeys: [] },
      )
      .filter((made) => Object.keys(made).length > 0),
  );
  const filter = fc.dictionary(fc.constantFrom('a', 'a.b', 'a.b.c', 'd'), condition, { maxKeys: 3 });
  const leaf = fc.oneof(scalar, fc.constantFrom<unknown>([], {}, 1.5, 'ab', 3, 0));
  const inner = fc.oneof(leaf, fc.record({ b: fc.oneof(leaf, fc.record({ c: leaf })) }));
  const payload = fc.record({ a: inner, d: leaf }, { requiredKeys: [] });
  let found = 0;
  fc.assert(
    fc.property(filter, payload, (asked, value) => {
      if (contradictions(asked).length === 0) return;
      found += 1;
      expect(matchesFilter(asked, value)).toBe(false);
    }),
    { numRuns: 5_000 },
  );
  expect(found).toBeGreaterThan(500);
});

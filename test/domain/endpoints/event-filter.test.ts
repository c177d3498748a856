import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type EventFilter, filterFaults, matchesFilter } from '../../../src/domain/endpoints/event-filter.ts';
import {
  matchesType,
  SYSTEM_EVENT_TYPES,
  sentTypeFault,
  typeFault,
  typePatternFault,
} from '../../../src/domain/endpoints/event-type.ts';

const payload = {
  data: { amount: 100, currency: 'EUR', vip: true, note: null, 'a.b': 1 },
  items: [{ sku: 'x' }],
};

describe('a filter', () => {
  test.each<[string, EventFilter, boolean]>([
    ['is satisfied by equal values', { 'data.currency': 'EUR' }, true],
    ['does not convert', { 'data.amount': '100' }, false],
    ['compares numbers', { 'data.amount': { $gte: 100, $lt: 101 } }, true],
    ['compares strings', { 'data.currency': { $gt: 'DKK' } }, true],
    ['orders no different types', { 'data.currency': { $gt: 1 } }, false],
    ['knows lists', { 'data.currency': { $in: ['USD', 'EUR'] } }, true],
    ['knows a value that is not in a list', { 'data.currency': { $nin: ['USD'] } }, true],
    ['takes a missing member for different', { 'data.missing': { $ne: 1 } }, true],
    ['takes a missing member for not listed', { 'data.missing': { $nin: [1] } }, true],
    ['finds null', { 'data.note': null }, true],
    ['tells null from missing', { 'data.missing': null }, false],
    ['sees that null is there', { 'data.note': { $exists: true } }, true],
    ['sees that a member is missing', { 'data.missing': { $exists: false } }, true],
    ['goes into arrays by index', { 'items.0.sku': 'x' }, true],
    ['knows no length', { 'items.length': { $exists: true } }, false],
    ['reads names with dots', { 'data.a\\.b': 1 }, true],
    ['reaches no prototype', { 'data.constructor': { $exists: true } }, false],
    ['equals no objects', { data: { $eq: null } }, false],
    ['asks for everything at once', { 'data.vip': true, 'data.amount': { $gt: 100 } }, false],
    ['asks for nothing when it is empty', {}, true],
  ])('%s', (_, filter, expected) => {
    expect(filterFaults(filter)).toEqual([]);
    expect(matchesFilter(filter, payload)).toBe(expected);
  });

  test.each<[string, unknown, string]>([
    ['an array', [], 'wrong_type'],
    ['no object', 'x', 'wrong_type'],
    ['an unknown operator', { a: { $regex: 'x' } }, 'unknown_field'],
    ['a nested object', { a: { b: 1 } }, 'unknown_field'],
    ['an empty condition', { a: {} }, 'wrong_type'],
    ['a list as a value', { a: [1] }, 'wrong_type'],
    ['an object to equal', { a: { $eq: {} } }, 'wrong_type'],
    ['no list for $in', { a: { $in: 'x' } }, 'wrong_type'],
    ['an ordered null', { a: { $gt: null } }, 'wrong_type'],
    ['a number for $exists', { a: { $exists: 1 } }, 'wrong_type'],
    ['an empty name', { 'a..b': 1 }, 'wrong_format'],
    ['an infinite number', { a: Number.POSITIVE_INFINITY }, 'wrong_format'],
    ['a NUL', { a: '\0' }, 'wrong_format'],
    ['half a surrogate pair', { a: '\ud800' }, 'wrong_format'],
    ['too many paths', Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`p${n}`, 1])), 'too_long'],
    ['too deep a path', { [Array(17).fill('a').join('.')]: 1 }, 'too_long'],
    ['too long a list', { a: { $in: Array(101).fill(1) } }, 'too_long'],
    ['too long a string', { a: 'x'.repeat(1_025) }, 'too_long'],
    ['the name __proto__ as an operator', JSON.parse('{"a":{"__proto__":1}}'), 'unknown_field'],
  ])('is refused with %s', (_, filter, code) => {
    expect(filterFaults(filter).map((fault) => fault.code)).toContain(code);
  });

  test('of any form is either refused or evaluated, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (filter, value) => {
        if (filterFaults(filter).length === 0)
          expect(typeof matchesFilter(filter as EventFilter, value)).toBe('boolean');
      }),
      { numRuns: 2_000 },
    );
  });
});

test.each([
  [undefined, 'anything', true],
  [['invoice.paid'], 'invoice.paid', true],
  [['invoice.paid'], 'invoice.paid.late', false],
  [['invoice.*'], 'invoice.paid', true],
  [['invoice.*'], 'invoice', false],
  [['invoice.*'], 'invoices.paid', false],
  [['a', 'invoice.*'], 'invoice.line.added', true],
  [['*'], 'anything', true],
  [['*', 'a'], 'b', true],
  // Events that Redrive itself makes are for endpoints that name their type.
  [['*'], 'file.failed.v2', false],
  [['*', 'file.failed.v2'], 'file.failed.v2', true],
])('types %j want %s: %s', (patterns, type, expected) => {
  expect(matchesType(patterns, type)).toBe(expected);
});

test.each(['*', 'invoice', 'invoice.*', 'a.b.*', 'order created', '.', 'a..b'])(
  'the pattern %j can match',
  (pattern) => {
    expect(typePatternFault(pattern)).toBeUndefined();
  },
);

test.each(['*.paid', 'a.*.c', '**', 'a*', '.*', 'a.**', '*.*', ' ', ' a', 'a ', 'a .*', '', 'a\u00a0'])(
  'the pattern %j can match nothing',
  (pattern) => {
    expect(typePatternFault(pattern)).toMatch(/Expected a type, a prefix that ends in `\.\*`, or `\*` alone/);
  },
);

test('a pattern that is taken matches some type that is taken', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a *.]{0,6}$/), fc.stringMatching(/^[a .]{0,3}$/), (pattern, more) => {
      if (typePatternFault(pattern) !== undefined || more.trim() !== more) return;
      const type = pattern === '*' ? `x${more}` : pattern.replace(/\*$/, `x${more}`);
      expect(typeFault(type)).toBeUndefined();
      expect(matchesType([pattern], type)).toBe(true);
    }),
  );
});

test.each(SYSTEM_EVENT_TYPES)(
  '%s is Redrive’s own: named exactly or not at all, and sent by nobody',
  (type) => {
    expect(matchesType([type], type)).toBe(true);
    for (const patterns of [undefined, ['*'], [`${type.split('.')[0]}.*`], [`${type}.*`]])
      expect(matchesType(patterns, type)).toBe(false);
    expect(sentTypeFault(type)).toContain('Redrive itself makes');
    expect(typePatternFault(type)).toBeUndefined();
    expect(sentTypeFault(`${type}.more`)).toBeUndefined();
  },
);

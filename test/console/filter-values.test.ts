import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deliveryQueryOf } from '../../console/src/api/delivery-query.ts';
import { noValueOf, noValuesIn } from '../../console/src/screens/failures/filter-values.ts';

/** The values of a filter: what is none of a member is named, and never left out. */

describe('a value of the filter', () => {
  test.each([
    ['httpStatus', '503', '5xx'],
    ['httpStatus', '404', '0x1F4'],
    ['state', 'failed', 'lost'],
    ['faultCodes', 'http_5xx', '5xx'],
    ['from', '2026-11-03T02:00:00Z', 'yesterday'],
    ['pendingLongerThanMs', '60000', '1m'],
    ['blocking', 'true', 'yes'],
  ])('of %s may be %s and not %s', (member, some, none) => {
    expect(noValueOf(member, some)).toBeUndefined();
    expect(noValueOf(member, none)).toContain(`“${none}” is no such value`);
    expect(noValuesIn(deliveryQueryOf({ [member]: some }))).toEqual([]);
    expect(noValuesIn(deliveryQueryOf({ [member]: [none] }))).toEqual([
      { member, value: none, why: noValueOf(member, none) },
    ]);
  });

  test('that has no form of its own may be anything', () => {
    expect(noValueOf('key', '5xx')).toBeUndefined();
    expect(noValuesIn(deliveryQueryOf({ key: 'k', eventTypes: ['a', 'b'], admin: 'true' }))).toEqual([]);
  });

  test('stands in the filter as it is written, so that none of it is lost', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (statuses) => {
        expect(deliveryQueryOf({ httpStatus: statuses }).httpStatus?.map(String)).toEqual(statuses);
      }),
    );
  });
});

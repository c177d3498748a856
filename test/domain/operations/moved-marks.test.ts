import { expect, test } from '@jest/globals';
import { newestOf, tenantsMoved } from '../../../src/domain/operations/moved-marks.ts';
import { anyId } from '../../support/store/any-id.ts';

const mark = (id: string, tenantId: string, of = 'running') => ({
  id: anyId(id),
  tenantId: anyId(tenantId),
  mark: of,
});

test('a tenant has moved where an operation of it is new, changed or gone', () => {
  const before = [mark('1', 'a'), mark('2', 'b'), mark('3', 'c')];
  expect(tenantsMoved(before, before)).toEqual([]);
  expect(tenantsMoved(before, [mark('1', 'a'), mark('2', 'b', 'closed'), mark('4', 'd')]).sort()).toEqual([
    'b',
    'c',
    'd',
  ]);
  expect(tenantsMoved([], before).sort()).toEqual(['a', 'b', 'c']);
});

test('the newest is the one that sorts last, also where it was known before', () => {
  expect(newestOf([], undefined)).toBeUndefined();
  expect(newestOf([mark('2', 'a'), mark('3', 'a'), mark('1', 'a')], undefined)).toBe('3');
  expect(newestOf([mark('2', 'a')], anyId('9'))).toBe('9');
});

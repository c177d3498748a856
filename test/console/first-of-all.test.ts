import { describe, expect, test } from '@jest/globals';
import { orMore } from '../../console/src/format/numbers.ts';
import { firstOfAll } from '../../console/src/screens/now/first-of-all.ts';

const list = (...ids: string[]) => ({ items: ids.map((id) => ({ id })), more: false });

describe('the first of some lists', () => {
  test('are those of the first list before any of the next, and say how many are left', () => {
    const { first, left, atLeast } = firstOfAll([list('a', 'b'), list(), list('c', 'd')], 3);
    expect(first.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect([left, atLeast]).toEqual([1, false]);
  });

  test('say that there are more where a list goes on', () => {
    expect(firstOfAll([list('a'), { ...list('b'), more: true }], 3)).toMatchObject({
      left: 0,
      atLeast: true,
    });
  });

  test('hold nothing twice', () => {
    expect(firstOfAll([list('a', 'b'), list('b', 'c')], 9).first.map(({ id }) => id)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });
});

test('a number of which there may be more says so', () => {
  expect(orMore(50, true)).toBe('50+');
  expect(orMore(1_053, false)).toBe('1,053');
});

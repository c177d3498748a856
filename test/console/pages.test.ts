import { expect, test } from '@jest/globals';
import { pagesFor } from '../../console/src/ui/tables/pages-for.ts';

test('the pages to read are those in sight, the one behind them, and always the first', () => {
  expect(pagesFor({ first: 0, last: 0 }, 0)).toEqual([0]);
  expect(pagesFor({ first: 0, last: 0 }, 5)).toEqual([0, 1]);
  expect(pagesFor({ first: 3, last: 4 }, 9)).toEqual([0, 3, 4, 5]);
});

test('no page is read that is not known of yet', () => {
  expect(pagesFor({ first: 8, last: 9 }, 4)).toEqual([0, 4]);
  expect(pagesFor({ first: 4, last: 4 }, 4)).toEqual([0, 4]);
});

import { describe, expect, test } from '@jest/globals';
import { exceededQuotas, type Quotas } from '../../../src/domain/policy/quotas.ts';

const NOBODY = { items: 0, openOperations: 0 };

describe('an operation exceeds', () => {
  test('nothing where there are no quotas', () => {
    expect(exceededQuotas({}, { items: 10_000_000 }, { items: 1e9, openOperations: 1_000 })).toEqual([]);
  });

  test.each<[Quotas, unknown[]]>([
    [{ itemsPerOperation: 100 }, []],
    [{ itemsPerOperation: 99 }, [{ quota: 'itemsPerOperation', limit: 99, would: 100 }]],
    [{ itemsPerDay: 150 }, []],
    [{ itemsPerDay: 149 }, [{ quota: 'itemsPerDay', limit: 149, would: 150 }]],
    [{ openOperations: 3 }, []],
    [{ openOperations: 2 }, [{ quota: 'openOperations', limit: 2, would: 3 }]],
    [{ ratePerSecond: 20 }, []],
    [{ ratePerSecond: 19.5 }, [{ quota: 'ratePerSecond', limit: 19.5, would: 20 }]],
    [
      { itemsPerOperation: 1, itemsPerDay: 1, openOperations: 0, ratePerSecond: 1 },
      [
        { quota: 'itemsPerOperation', limit: 1, would: 100 },
        { quota: 'itemsPerDay', limit: 1, would: 150 },
        { quota: 'openOperations', limit: 0, would: 3 },
        { quota: 'ratePerSecond', limit: 1, would: 20 },
      ],
    ],
  ])('what it would be more than, itself among the others: %p', (quotas, exceeded) => {
    const asked = { items: 100, ratePerSecond: 20 };
    expect(exceededQuotas(quotas, asked, { items: 50, openOperations: 2 })).toEqual(exceeded);
  });

  test('a quota on rates where it names none', () => {
    expect(exceededQuotas({ ratePerSecond: 1_000 }, { items: 1 }, NOBODY)).toEqual([
      { quota: 'ratePerSecond', limit: 1_000 },
    ]);
  });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withinTime } from '../../../src/store/db/within-time.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

test('what is done in time is given', async () => {
  const found = await withinTime(database.pool, 60_000, (tx) => tx.query<{ n: number }>('select 7 as n'));
  expect(found?.rows).toEqual([{ n: 7 }]);
});

test('what takes longer is given up, and its connection serves the next', async () => {
  expect(await withinTime(database.pool, 10, (tx) => tx.query('select pg_sleep(600)'))).toBeUndefined();
  expect((await database.pool.query('select pg_sleep(0.05)')).rowCount).toBe(1);
});

test('any other error stays one', async () => {
  await expect(withinTime(database.pool, 60_000, (tx) => tx.query('select 1 / 0'))).rejects.toMatchObject({
    code: '22012',
  });
});

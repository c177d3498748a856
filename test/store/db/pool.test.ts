import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { BeginAgain, createPool, isConnectionLost, withTransaction } from '../../../src/store/db/pool.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

test('int8 becomes a number while that is exact, timestamptz becomes a Date', async () => {
  const { rows } = await database.pool.query(
    `select 9007199254740991::int8 as exact, 9007199254740993::int8 as beyond, '{1,null,3}'::int8[] as list,
      '2026-01-02 03:04:05.678+00'::timestamptz as at`,
  );
  expect(rows).toEqual([
    {
      exact: Number.MAX_SAFE_INTEGER,
      beyond: 9_007_199_254_740_993n,
      list: [1, null, 3],
      at: new Date('2026-01-02T03:04:05.678Z'),
    },
  ]);
});

test('a statement that takes too long is ended by the server', async () => {
  const pool = createPool(database.url, { statementTimeoutMs: 50 });
  await expect(pool.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
  await pool.end();
});

test('a transaction that the server undid for concurrency is run again', async () => {
  await database.pool.query('create table counter as select 0 as n');
  const increment = () =>
    withTransaction(
      database.pool,
      async (client) => {
        const { rows } = await client.query<{ n: number }>('select n from counter');
        await client.query('update counter set n = $1', [(rows[0]?.n ?? 0) + 1]);
      },
      { isolation: 'serializable', maxAttempts: 50 },
    );
  await Promise.all(Array.from({ length: 6 }, increment));
  expect((await database.pool.query('select n from counter')).rows).toEqual([{ n: 6 }]);
});

test('a transaction that asks for it begins again, and fails as one that the server undid', async () => {
  await database.pool.query('create table begun (n int)');
  const begin = (until: number) => {
    let runs = 0;
    return withTransaction(database.pool, async (client) => {
      runs += 1;
      await client.query('insert into begun values ($1)', [runs]);
      if (runs < until) throw new BeginAgain('not yet');
    });
  };
  await begin(3);
  expect((await database.pool.query('select n from begun')).rows).toEqual([{ n: 3 }]);
  await expect(begin(99)).rejects.toMatchObject({ code: '40001' });
});

test('an error undoes the transaction, is passed on, and leaves the connection usable', async () => {
  await database.pool.query('create table undone (n int)');
  const failing = withTransaction(database.pool, async (client) => {
    await client.query('insert into undone values (1)');
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  expect((await database.pool.query('select count(*) as n from undone')).rows).toEqual([{ n: 0 }]);
});

test('a connection that prepared a statement before a migration is used no more by transactions', async () => {
  await database.pool.query('create table migrated (n int)');
  const pool = createPool(database.url, { max: 1 });
  const read = () =>
    withTransaction(pool, (tx) => tx.query({ name: 'read-migrated', text: 'select * from migrated' }));
  await read();
  await database.pool.query('alter table migrated add column more int');
  await expect(read()).rejects.toMatchObject({ code: '0A000' });
  expect((await read()).rows).toEqual([]);
  await pool.end();
});

test('connections that were lost while idle are replaced before anything is done', async () => {
  const pool = createPool(database.url, { max: 1 });
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  await database.pool.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
  let runs = 0;
  const answer = await withTransaction(pool, async (client) => {
    runs += 1;
    return (await client.query('select 1 as one')).rows;
  });
  expect({ answer, runs }).toEqual({ answer: [{ one: 1 }], runs: 1 });
  await pool.end();
});

test.each(['57P01', '57P05', '53300'])('what began by %s begins on another connection', async (code) => {
  const pool = createPool(database.url, { max: 1 });
  const connect = jest.spyOn(pool as { connect(): Promise<unknown> }, 'connect');
  connect.mockRejectedValueOnce(Object.assign(new Error('a text that says nothing'), { code }));
  const { rows } = await withTransaction(pool, (tx) => tx.query<{ one: number }>('select 1 as one'));
  expect(rows).toEqual([{ one: 1 }]);
  await pool.end();
});

test('a connection that is lost in the middle is not retried: nobody knows what was done', async () => {
  const pool = createPool(database.url, { max: 1 });
  let runs = 0;
  const lost = withTransaction(pool, async (client) => {
    runs += 1;
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.pool.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
    await client.query('select 1');
  });
  const error = await lost.catch((reason: unknown) => reason);
  expect({ lost: isConnectionLost(error), runs }).toEqual({ lost: true, runs: 1 });
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await pool.end();
});

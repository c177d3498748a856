import { expect, test } from '@jest/globals';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { sessionOf } from '../../../src/store/db/session.ts';
import { createTestDatabase, type TestPool } from '../../support/store/test-database.ts';

/** Sessions rely on no setting that an operator may have given to the server, the database or the role. */

const OTHERS = {
  datestyle: 'German, DMY',
  intervalstyle: 'sql_standard',
  timezone: 'Asia/Kolkata',
  extra_float_digits: '-10',
  bytea_output: 'escape',
  array_nulls: 'off',
  standard_conforming_strings: 'off',
  default_transaction_isolation: 'serializable',
};

test('values are read and days begin as ever, whatever the database was set to', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  for (const [setting, value] of Object.entries(OTHERS))
    await database.pool.query(`alter database ${name} set ${setting} = '${value}'`);
  const pool: TestPool = createPool(database.url, { max: 1 });
  try {
    const { rows } = await pool.query(
      `select '2026-02-01 20:00:00.678+00'::timestamptz as at, '2026-02-01 20:00:00+00'::timestamptz::date::text as day,
        interval '1 day 2 hours'::text as span, 0.1234567890123::float8 as exact, '\\x5c00'::bytea as bytes,
        array_length('{1,NULL}'::int[], 1) as nulls`,
    );
    expect(rows).toEqual([
      {
        at: new Date('2026-02-01T20:00:00.678Z'),
        day: '2026-02-01',
        span: '1 day 02:00:00',
        exact: 0.1234567890123,
        bytes: Buffer.from([0x5c, 0]),
        nulls: 2,
      },
    ]);
    const isolation = await withTransaction(pool, (tx) =>
      tx.query<{ level: string }>(`select current_setting('transaction_isolation') as level`),
    );
    expect(isolation.rows).toEqual([{ level: 'read committed' }]);
  } finally {
    await pool.end();
    await database.drop();
  }
});

test('options of the URL go together with those of a pool', async () => {
  const database = await createTestDatabase();
  const url = new URL(database.url);
  url.searchParams.set('options', '-c work_mem=7MB');
  url.searchParams.set('sslmode', 'disable');
  const pool: TestPool = createPool(url.href, { max: 1, lookUps: true });
  try {
    const { rows } = await pool.query(
      `select current_setting('work_mem') as given, current_setting('plan_cache_mode') as own`,
    );
    expect(rows).toEqual([{ given: '7MB', own: 'force_generic_plan' }]);
  } finally {
    await pool.end();
    await database.drop();
  }
});

test('the URL of a socket stays as it is, and a value with a blank is one value', () => {
  expect(sessionOf('postgres://redrive@/redrive?host=/run/postgresql')).toEqual({
    connectionString: 'postgres://redrive@/redrive?host=%2Frun%2Fpostgresql',
    options: expect.stringContaining('-c default_transaction_isolation=read\\ committed'),
  });
});

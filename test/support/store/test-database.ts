import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { createPool, type Pool, type PoolOptions } from '../../../src/store/db/pool.ts';
import type { Answer, Statement } from '../../../src/store/db/queryable.ts';

/** A pool of a test: rows that are given no type are as the driver gives them. */
export type TestPool = {
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what its rows are
  query<Row extends object = any>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<Answer<Row>>;
} & Pool;

/** A database of its own for one test file, with the schema in place and no rows. */
export type TestDatabase = {
  url: string;
  pool: TestPool;
  /** Closes the pool and removes the database, even while others are connected to it. */
  drop(): Promise<void>;
};

/** Clones the migrated template of this test run; with `empty` the database has not even the schema. */
export async function createTestDatabase(
  options: PoolOptions & { empty?: boolean } = {},
): Promise<TestDatabase> {
  const maintenanceUrl = fromEnvironment('REDRIVE_TEST_DATABASE_URL');
  const template = options.empty === true ? 'template0' : fromEnvironment('REDRIVE_TEST_TEMPLATE');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(maintenanceUrl, `create database ${name} template ${template}`);
  const url = new URL(maintenanceUrl);
  url.pathname = `/${name}`;
  const pool: TestPool = createPool(url.href, options);
  return {
    url: url.href,
    pool,
    async drop() {
      if (!pool.ended) await pool.end();
      await administer(maintenanceUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

/** Says whether new connections to a database of the run are let in; those that are there stay. */
export async function letIn(url: string, may: boolean): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await administer(
    fromEnvironment('REDRIVE_TEST_DATABASE_URL'),
    `alter database ${name} allow_connections ${may}`,
  );
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run the tests by \`npm test\`, which starts what they need`);
  return value;
}

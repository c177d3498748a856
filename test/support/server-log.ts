import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createPool, type Pool } from '../../src/store/db/pool.ts';
import { eventually } from './eventually.ts';

/**
 * What the server writes into its log of the statements that are run on a connection to a database, where it tells as much as
 * a Postgres does by default.
 */
export async function serverLogOf(url: string, work: (db: Pool) => Promise<unknown>): Promise<string> {
  const file = process.env.REDRIVE_TEST_POSTGRES_LOG;
  if (file === undefined) throw new Error('run the tests by `npm test`, which says where the log is');
  const database = new URL(url).pathname.slice(1);
  // The embedded server keeps these to itself.
  await onOne(url, (db) =>
    db.query(`alter database ${database} set log_error_verbosity = 'default';
      alter database ${database} set log_min_error_statement = 'error'`),
  );
  return onOne(url, async (db) => {
    const mark = async () => {
      const text = `mark ${randomUUID()}`;
      await db.query(`do $$ begin raise warning '${text}'; end $$`);
      return text;
    };
    const begin = await mark();
    await work(db);
    const end = await mark();
    let told = '';
    await eventually('the server has written its log', async () => {
      told = await readFile(file, 'utf8');
      return told.includes(end);
    });
    return told.slice(told.indexOf(begin), told.indexOf(end));
  });
}

async function onOne<Result>(url: string, work: (db: Pool) => Promise<Result>): Promise<Result> {
  const pool = createPool(url, { max: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

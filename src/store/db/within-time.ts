import { type Pool, withTransaction } from './pool.ts';
import type { Transaction } from './queryable.ts';
import { codeOf, QUERY_CANCELED } from './sqlstate.ts';

/** Runs statements in a transaction, none of which may take longer than this; undefined where one has. */
export async function withinTime<Result>(
  pool: Pool,
  ms: number,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await withTransaction(pool, async (tx) => {
      await tx.query(`set local statement_timeout = ${Math.ceil(ms)}`);
      return work(tx);
    });
  } catch (error) {
    if (codeOf(error) === QUERY_CANCELED) return undefined;
    throw error;
  }
}

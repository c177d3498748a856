import type { PoolClient } from 'pg';
import { createPool } from '../../src/store/db/pool.ts';

/** Does something for each entry, as many at the same time as there are connections, each on one of its own. */
export async function sideBySide<Entry>(
  databaseUrl: string,
  connections: number,
  entries: readonly Entry[],
  work: (db: PoolClient, entry: Entry, index: number) => Promise<void>,
): Promise<void> {
  const pool = createPool(databaseUrl, { max: connections });
  const left = [...entries.entries()];
  try {
    await Promise.all(
      Array.from({ length: connections }, async () => {
        const db = await pool.connect();
        try {
          for (let next = left.shift(); next !== undefined; next = left.shift())
            await work(db, next[1], next[0]);
        } finally {
          db.release();
        }
      }),
    );
  } finally {
    await pool.end();
  }
}

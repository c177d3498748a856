import { type Pool, withTransaction } from './pool.ts';
import type { Queryable } from './queryable.ts';
import { READ_ONLY_TRANSACTION } from './sqlstate.ts';

/** Postgres answers and takes no writes; its code is that of a write that it refuses. */
export class TakesNoWrites extends Error {
  readonly code = READ_ONLY_TRANSACTION;
}

/** Whether Postgres takes writes: a standby answers all that is read, and so does a server that its provider has braked. */
export async function takesWrites(pool: Pool): Promise<boolean> {
  try {
    // In a transaction, whose failure ends the session: the next look is at a new one.
    await withTransaction(pool, mustTakeWrites);
    return true;
  } catch (error) {
    if (error instanceof TakesNoWrites) return false;
    throw error;
  }
}

/** Throws {@link TakesNoWrites} where a session takes no writes. */
export async function mustTakeWrites(session: Queryable): Promise<void> {
  const { rows } = await session.query<{ read_only: string }>(
    `select current_setting('transaction_read_only') as read_only`,
  );
  if (rows[0]?.read_only !== 'off') throw new TakesNoWrites();
}

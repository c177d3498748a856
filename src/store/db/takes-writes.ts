import type { Queryable } from './queryable.ts';
import { READ_ONLY_TRANSACTION } from './sqlstate.ts';

/** Whether Postgres takes writes: a standby answers all that is read, and so does a server that its provider has braked. */
export async function takesWrites(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ read_only: string }>(
    `select current_setting('transaction_read_only') as read_only`,
  );
  return rows[0]?.read_only === 'off';
}

/** Postgres answers and takes no writes; its code is that of a write that it refuses. */
export class TakesNoWrites extends Error {
  readonly code = READ_ONLY_TRANSACTION;
}

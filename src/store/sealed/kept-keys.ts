import type { Queryable } from '../db/queryable.ts';

/** Keeps a key, sealed, unless one is kept for its purpose. */
export async function keepKey(db: Queryable, purpose: string, sealed: Buffer): Promise<void> {
  await db.query('insert into kept_keys (purpose, sealed) values ($1, $2) on conflict (purpose) do nothing', [
    purpose,
    sealed,
  ]);
}

/** The keys that are kept, sealed, by their purpose. */
export async function listKeptKeys(db: Queryable): Promise<{ purpose: string; sealed: Buffer }[]> {
  const { rows } = await db.query<{ purpose: string; sealed: Buffer }>(
    'select purpose, sealed from kept_keys',
  );
  return rows;
}

import type { Queryable } from './queryable.ts';

/**
 * Remembers which master key this database is sealed under, at the first start, and says at every later one whether it
 * is the same.
 */
export async function isMasterKeyOf(db: Queryable, check: string): Promise<boolean> {
  await db.query(
    `insert into installation (master_key_check) values (decode($1, 'hex')) on conflict (only_one) do nothing`,
    [check],
  );
  const { rows } = await db.query<{ same: boolean }>(
    `select encode(master_key_check, 'hex') = $1 as same from installation`,
    [check],
  );
  return rows[0]?.same === true;
}

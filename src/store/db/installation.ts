import {
  type DatabaseMasterKeys,
  judgeMasterKeys,
  type KnownMasterKeys,
} from '../../domain/tenancy/master-key.ts';
import { onlyRow } from './only-row.ts';
import type { Queryable, Transaction } from './queryable.ts';

/**
 * Remembers which master key this database is sealed under, at the first start, and says at every later one whether a
 * process with these keys may work on it. A rotation that this begins is remembered, too. The row is held, so that of two
 * processes that begin different rotations at once the second sees the first.
 */
export async function admitMasterKeys(
  tx: Transaction,
  known: KnownMasterKeys,
): Promise<ReturnType<typeof judgeMasterKeys>> {
  await tx.query(
    `insert into installation (master_key_check) values (decode($1, 'hex')) on conflict (only_one) do nothing`,
    [known.present],
  );
  await tx.query('select from installation for update');
  const verdict = judgeMasterKeys(known, await readMasterKeys(tx));
  if (verdict === 'rotates')
    await tx.query(
      `update installation set rotating_to = decode($1, 'hex') where rotating_to is distinct from decode($1, 'hex')`,
      [known.present],
    );
  return verdict;
}

/** The master keys that this database is sealed under. */
export async function readMasterKeys(db: Queryable): Promise<DatabaseMasterKeys> {
  const { sealed_under: sealedUnder, rotating_to: rotatingTo } = onlyRow(
    await db.query<{ sealed_under: string; rotating_to: string | null }>(
      `select encode(master_key_check, 'hex') as sealed_under, encode(rotating_to, 'hex') as rotating_to from installation`,
    ),
  );
  return { sealedUnder, ...(rotatingTo === null ? {} : { rotatingTo }) };
}

/** Says that everything is sealed under this key from now on; whether it was not said before. */
export async function finishRotation(db: Queryable, present: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update installation set master_key_check = rotating_to
     where rotating_to = decode($1, 'hex') and master_key_check <> rotating_to`,
    [present],
  );
  return (rowCount ?? 0) > 0;
}

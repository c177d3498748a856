import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** A key that reports are signed with, its public part. */
export interface SigningKey {
  id: Id<'signingKey'>;
  publicKey: Buffer;
  createdAt: Date;
  retiredAt?: Date;
  /** Its private key may be known to others. */
  revokedAt?: Date;
}

/** A key that is new: nobody has signed with it. */
export interface NewSigningKey {
  id: Id<'signingKey'>;
  publicKey: Buffer;
  sealedPrivateKey: Buffer;
}

interface KeyRow {
  id: Id<'signingKey'>;
  public_key: Buffer;
  created_at: Date;
  retired_at: Date | null;
  revoked_at: Date | null;
}

const COLUMNS = 'id, public_key, created_at, retired_at, revoked_at';

/**
 * The key to sign with, held until the end of the transaction: it is retired before or after what is signed here, never
 * in between. Undefined where there is none yet.
 */
export async function holdActiveKey(
  tx: Transaction,
): Promise<{ id: Id<'signingKey'>; sealedPrivateKey: Buffer } | undefined> {
  const { rows } = await tx.query<{ id: Id<'signingKey'>; sealed_private_key: Buffer }>(
    'select id, sealed_private_key from signing_keys where retired_at is null for share',
  );
  return rows[0] && { id: rows[0].id, sealedPrivateKey: rows[0].sealed_private_key };
}

/** Makes a key the active one, where there is none; of several at once one wins. */
export async function insertSigningKey(tx: Transaction, key: NewSigningKey): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into signing_keys (id, public_key, sealed_private_key) values ($1, $2, $3)
     on conflict do nothing`,
    [key.id, key.publicKey, key.sealedPrivateKey],
  );
  return rowCount === 1;
}

/** Retires the active key, whose private part is forgotten with it. */
export async function retireActiveKey(tx: Transaction): Promise<void> {
  await tx.query(
    `update signing_keys set retired_at = clock_timestamp(), sealed_private_key = null where retired_at is null`,
  );
}

/** Revokes a key, active or retired; undefined where there is none. A second time says when it was. */
export async function revokeSigningKey(
  tx: Transaction,
  id: Id<'signingKey'>,
): Promise<SigningKey | undefined> {
  const { rows } = await tx.query<KeyRow>(
    `update signing_keys set revoked_at = coalesce(revoked_at, clock_timestamp()),
       retired_at = coalesce(retired_at, clock_timestamp()), sealed_private_key = null
     where id = $1 returning ${COLUMNS}`,
    [id],
  );
  return rows[0] && keyFrom(rows[0]);
}

/** Every key that there ever was, newest first: what an old one signed is still to be verified. */
export async function listSigningKeys(db: Queryable): Promise<SigningKey[]> {
  const { rows } = await db.query<KeyRow>(`select ${COLUMNS} from signing_keys order by id desc`);
  return rows.map(keyFrom);
}

/** The key that is active. */
export async function activeKey(tx: Transaction): Promise<SigningKey> {
  return keyFrom(
    onlyRow(await tx.query<KeyRow>(`select ${COLUMNS} from signing_keys where retired_at is null`)),
  );
}

function keyFrom(row: KeyRow): SigningKey {
  return {
    id: row.id,
    publicKey: row.public_key,
    createdAt: row.created_at,
    ...present({ retiredAt: row.retired_at, revokedAt: row.revoked_at }),
  };
}

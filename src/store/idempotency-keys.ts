import type { Queryable } from './queryable.ts';

/** A key as it is looked up: only hashes are kept, a client's key may say something about its customers. */
export interface KeyUse {
  scope: string;
  keyHash: Buffer;
  tenantId: string;
  fingerprint: Buffer;
}

/** What a key stands for now. */
export type KeyLookup =
  | { found: 'stored'; fingerprint: Buffer; operationId: string; body: string }
  /** Free, locked for this transaction; `use` is 1, or more where an earlier use has expired. */
  | { found: 'free'; use: number };

/**
 * Looks a key up and, where it is free, holds it for this transaction: others with the same key wait for the commit.
 */
export async function lockKey(db: Queryable, key: Pick<KeyUse, 'scope' | 'keyHash'>): Promise<KeyLookup> {
  // The row of a first use does not exist yet, so the lock is on the key itself.
  await db.query(`select pg_advisory_xact_lock(hashtextextended($1 || encode($2, 'hex'), 4400))`, [
    key.scope,
    key.keyHash,
  ]);
  const { rows } = await db.query(
    `select fingerprint, operation_id, body, use, expires_at <= clock_timestamp() as expired
     from idempotency_keys where scope = $1 and key_hash = $2`,
    [key.scope, key.keyHash],
  );
  const row = rows[0];
  if (!row) return { found: 'free', use: 1 };
  if (row.expired) return { found: 'free', use: row.use + 1 };
  return { found: 'stored', fingerprint: row.fingerprint, operationId: row.operation_id, body: row.body };
}

/** Stores the answer of an accepted request under its key, in place of an expired use. */
export async function storeAnswer(
  db: Queryable,
  key: KeyUse,
  answer: { use: number; operationId: string; status: number; body: string; expiresAt: Date },
): Promise<void> {
  await db.query(
    `insert into idempotency_keys (scope, key_hash, tenant_id, fingerprint, use, operation_id, status, body, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (scope, key_hash) do update set fingerprint = excluded.fingerprint, use = excluded.use,
       operation_id = excluded.operation_id, status = excluded.status, body = excluded.body,
       expires_at = excluded.expires_at, created_at = now()`,
    [
      key.scope,
      key.keyHash,
      key.tenantId,
      key.fingerprint,
      answer.use,
      answer.operationId,
      answer.status,
      answer.body,
      answer.expiresAt,
    ],
  );
}

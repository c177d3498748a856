import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** A key as it is looked up: only hashes are kept, as a client's key may say something about its customers. */
export interface KeyUse {
  scope: string;
  keyHash: Buffer;
  tenantId: Id<'tenant'>;
  fingerprint: Buffer;
}

/** Made by a request with a key: an operation, or, where its scope is the repeating of events, an event. */
type Made = Id<'operation'> | Id<'event'>;

/** The answer that is stored under a key, or that the key is free. */
export type KeyLookup<Stored extends Made = Id<'operation'>> =
  | { found: 'stored'; fingerprint: Buffer; operationId: Stored; body: string }
  /** Free, or its use has expired; locked for this transaction. */
  | { found: 'free' };

interface KeyRow<Stored> {
  fingerprint: Buffer;
  operation_id: Stored;
  body: string;
  expired: boolean;
}

/**
 * Looks a key up and, where it is free, holds it for this transaction: others with the same key wait for the commit.
 */
export async function lockKey<Stored extends Made = Id<'operation'>>(
  tx: Transaction,
  key: Pick<KeyUse, 'scope' | 'keyHash'>,
): Promise<KeyLookup<Stored>> {
  // The row of a first use does not exist yet, so the lock is on the key itself.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended($1 || encode($2, 'hex'), 4400))`, [
    key.scope,
    key.keyHash,
  ]);
  const { rows } = await tx.query<KeyRow<Stored>>(
    `select k.fingerprint, k.operation_id, k.body, k.expires_at <= clock_timestamp()
       or (k.while_open and not exists (select from operations o where o.id = k.operation_id and o.closed_at is null))
       as expired
     from idempotency_keys k where k.scope = $1 and k.key_hash = $2`,
    [key.scope, key.keyHash],
  );
  const row = rows[0];
  if (!row || row.expired) return { found: 'free' };
  return { found: 'stored', fingerprint: row.fingerprint, operationId: row.operation_id, body: row.body };
}

/** Stores the answer of an accepted request under its key, in place of an expired use. */
export async function storeAnswer(
  tx: Transaction,
  key: KeyUse,
  answer: {
    operationId: Made;
    status: number;
    body: string;
    /** Never where absent. */
    expiresAt?: Date;
    /** The key is free again once the operation has ended. */
    whileOpen: boolean;
  },
): Promise<void> {
  await tx.query(
    `insert into idempotency_keys (scope, key_hash, tenant_id, fingerprint, operation_id, status, body, expires_at, while_open)
     values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, 'infinity'::timestamptz), $9)
     on conflict (scope, key_hash) do update set fingerprint = excluded.fingerprint,
       operation_id = excluded.operation_id, status = excluded.status, body = excluded.body,
       expires_at = excluded.expires_at, while_open = excluded.while_open, created_at = now()`,
    [
      key.scope,
      key.keyHash,
      key.tenantId,
      key.fingerprint,
      answer.operationId,
      answer.status,
      answer.body,
      answer.expiresAt ?? null,
      answer.whileOpen,
    ],
  );
}

/** Forgets up to `limit` keys whose time is over, and of the oldest that hold for an open operation those that has closed. */
export async function forgetKeys(db: Queryable, limit: number): Promise<number> {
  const expired = await db.query(
    `delete from idempotency_keys where (scope, key_hash) in (
       select scope, key_hash from idempotency_keys where expires_at <= clock_timestamp()
       order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
  const closed = await db.query(
    `delete from idempotency_keys where (scope, key_hash) in (
       select k.scope, k.key_hash from (
         select scope, key_hash, operation_id from idempotency_keys where while_open
         order by created_at limit $1 for update skip locked) k
       where not exists (select from operations o where o.id = k.operation_id and o.closed_at is null))`,
    [limit],
  );
  return Math.max(expired.rowCount ?? 0, closed.rowCount ?? 0);
}

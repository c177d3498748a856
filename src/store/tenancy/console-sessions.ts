import { createHash, randomBytes } from 'node:crypto';
import { SESSION_LIFE_MS, SESSION_SEEN_EVERY_MS } from '../../domain/tenancy/console-session.ts';
import type { Scope } from '../../domain/tenancy/scope.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** The credential that a session was opened with; of a token the parts that its issuer's row does not hold. */
export type SessionCredential =
  | { keyId: Id<'key'> }
  | { issuerId: Id<'jwtIssuer'>; actor: string; scopes: readonly Scope[]; expiresAt: Date };

/** A session, as far as its own row knows it. */
export interface ConsoleSession {
  id: Id<'session'>;
  credential: SessionCredential;
  createdAt: Date;
  seenAt: Date;
  endedAt?: Date;
}

/** A new secret of 256 random bits, such as the cookie of a session. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** The hash that is kept of a secret: there is nothing to guess in 256 random bits. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Opens a session and returns its secret, which is shown once: only its hash is kept. */
export async function openConsoleSession(
  tx: Transaction,
  credential: SessionCredential,
): Promise<{ id: Id<'session'>; secret: string }> {
  const secret = newSecret();
  const ofToken = 'issuerId' in credential ? credential : undefined;
  const made = await tx.query<{ id: Id<'session'> }>(
    `insert into console_sessions (token_hash, key_id, jwt_issuer_id, actor, scopes, token_expires_at)
     values ($1, $2, $3, $4, $5, $6) returning id`,
    [
      hashSecret(secret),
      'keyId' in credential ? credential.keyId : null,
      ofToken?.issuerId ?? null,
      ofToken?.actor ?? null,
      ofToken?.scopes ?? null,
      ofToken?.expiresAt ?? null,
    ],
  );
  return { ...onlyRow(made), secret };
}

/** The session with this secret, also one that is over, and the time of the database. */
export async function findConsoleSession(
  db: Queryable,
  secret: string,
): Promise<{ session: ConsoleSession; now: Date } | undefined> {
  const { rows } = await db.query<SessionRow & { now: Date }>({
    name: 'find-console-session',
    text: 'select *, now() as now from console_sessions where token_hash = $1',
    values: [hashSecret(secret)],
  });
  return rows[0] && { session: sessionFrom(rows[0]), now: rows[0].now };
}

/** Writes down that a session was used, where that was not done within the last minute. */
export async function seeConsoleSession(db: Queryable, id: Id<'session'>): Promise<void> {
  await db.query(
    `update console_sessions set seen_at = now()
     where id = $1 and ended_at is null and seen_at <= now() - $2 * interval '1 millisecond'`,
    [id, SESSION_SEEN_EVERY_MS],
  );
}

/** Ends a session, once; false where it has ended before. */
export async function endConsoleSession(tx: Transaction, id: Id<'session'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update console_sessions set ended_at = now() where id = $1 and ended_at is null',
    [id],
  );
  return rowCount === 1;
}

/** Removes sessions that nobody can be in any more, and codes that are too old; at most so many of each. */
export async function dropOldSessions(db: Queryable, most: number): Promise<number> {
  const { rowCount } = await db.query(
    `with codes as (
      delete from sign_in_codes where code_hash in (
        select code_hash from sign_in_codes where expires_at <= now() limit $2 for update skip locked)
    )
    delete from console_sessions where id in (
      select id from console_sessions where created_at <= now() - $1 * interval '1 millisecond'
      order by created_at limit $2 for update skip locked)`,
    [KEPT_MS, most],
  );
  return rowCount ?? 0;
}

/** As long again as a session can last, so that who comes back is told why it is over. */
const KEPT_MS = 2 * SESSION_LIFE_MS;

interface SessionRow {
  id: Id<'session'>;
  key_id: Id<'key'> | null;
  jwt_issuer_id: Id<'jwtIssuer'> | null;
  actor: string | null;
  scopes: Scope[] | null;
  token_expires_at: Date | null;
  created_at: Date;
  seen_at: Date;
  ended_at: Date | null;
}

function sessionFrom(row: SessionRow): ConsoleSession {
  return {
    id: row.id,
    credential: credentialFrom(row),
    createdAt: row.created_at,
    seenAt: row.seen_at,
    ...(row.ended_at ? { endedAt: row.ended_at } : {}),
  };
}

function credentialFrom(row: SessionRow): SessionCredential {
  if (row.key_id) return { keyId: row.key_id };
  const { jwt_issuer_id: issuerId, actor, scopes, token_expires_at: expiresAt } = row;
  if (issuerId && actor && scopes && expiresAt) return { issuerId, actor, scopes, expiresAt };
  throw new Error('a session has no credential');
}

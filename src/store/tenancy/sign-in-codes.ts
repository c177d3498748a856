import { SIGN_IN_CODE_LIFE_MS } from '../../domain/tenancy/console-session.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { hashSecret, newSecret } from './console-sessions.ts';

/**
 * Makes a code that signs in once, within a minute, as the working key that a tenant has under this name; undefined
 * where there is none. The code is shown once: only its hash is kept.
 */
export async function makeSignInCode(
  db: Queryable,
  key: { tenant: string; name: string },
): Promise<string | undefined> {
  const code = newSecret();
  const { rowCount } = await db.query(
    `insert into sign_in_codes (code_hash, key_id, expires_at)
     select $1, k.id, now() + $4 * interval '1 millisecond' from api_keys k join tenants t on t.id = k.tenant_id
     where t.handle = $2 and k.name = $3 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
     order by k.id desc limit 1`,
    [hashSecret(code), key.tenant, key.name, SIGN_IN_CODE_LIFE_MS],
  );
  return rowCount === 1 ? code : undefined;
}

/** Uses a code up and returns the key that it stands for; undefined where it was used, is too old or never was. */
export async function takeSignInCode(tx: Transaction, code: string): Promise<Id<'key'> | undefined> {
  const { rows } = await tx.query<{ key_id: Id<'key'>; expired: boolean }>(
    'delete from sign_in_codes where code_hash = $1 returning key_id, expires_at <= now() as expired',
    [hashSecret(code)],
  );
  return rows[0]?.expired === false ? rows[0].key_id : undefined;
}

import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Adds a signing secret, sealed; the newest one without an expiry is the current one. */
export async function insertEndpointSecret(
  db: Queryable,
  endpointId: Id<'endpoint'>,
  sealed: Buffer,
): Promise<void> {
  await db.query('insert into endpoint_secrets (endpoint_id, sealed) values ($1, $2)', [endpointId, sealed]);
}

/**
 * Lets the secrets of an endpoint run out after `validForMs`, unless they do so earlier; returns when the last of them
 * runs out. The caller holds the endpoint.
 */
export async function expireEndpointSecrets(
  db: Transaction,
  endpointId: Id<'endpoint'>,
  validForMs: number,
): Promise<Date | undefined> {
  const { rows } = await db.query<{ last: Date | null }>(
    `with expiring as (
      update endpoint_secrets
      set expires_at = least(expires_at, now() + $2::float8 * interval '1 millisecond')
      where endpoint_id = $1 and (expires_at is null or expires_at > now())
      returning expires_at
    ) select max(expires_at) as last from expiring`,
    [endpointId, validForMs],
  );
  return rows[0]?.last ?? undefined;
}

/** Removes up to `limit` secrets that ran out: nothing is signed or verified with them any more. */
export async function removeExpiredSecrets(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from endpoint_secrets where id in (
       select id from endpoint_secrets where expires_at <= clock_timestamp() order by expires_at limit $1
       for update skip locked)`,
    [limit],
  );
  return rowCount ?? 0;
}

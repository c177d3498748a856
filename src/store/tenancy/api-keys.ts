import type { Party } from '../../domain/policy/approver.ts';
import type { Grant } from '../../domain/tenancy/grant.ts';
import type { Scope } from '../../domain/tenancy/scope.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';

/** An API key without the key: only its hash is kept. */
export interface ApiKey {
  id: Id<'key'>;
  name: string;
  scopes: Scope[];
  /** The grant that it was made with in the place of scopes. */
  grant?: Grant;
  /** The person or service that it stands for. */
  actor?: string;
  createdAt: Date;
  expiresAt?: Date;
  revokedAt?: Date;
}

/** The fields of a key that authentication needs. */
export interface KnownKey {
  id: Id<'key'>;
  hash: Buffer;
  scopes: Scope[];
  grant?: Grant;
  actor?: string;
  /** By the database's clock. */
  expired: boolean;
  expiresAt?: Date;
  revoked: boolean;
  tenant?: { id: Id<'tenant'>; handle: string };
}

/** Makes a key of a tenant; undefined where it would have expired already, by the database's clock. */
export async function insertApiKey(
  db: Queryable,
  key: {
    tenantId: Id<'tenant'>;
    name: string;
    hash: Buffer;
    scopes: readonly Scope[];
    grant?: Grant | undefined;
    actor?: string | undefined;
    expiresAt?: Date | undefined;
    /** Who makes it. */
    maker?: Party | undefined;
  },
): Promise<ApiKey | undefined> {
  const { rows } = await db.query<ApiKeyRow>(
    `insert into api_keys (tenant_id, name, key_hash, scopes, expires_at, made_with_grant, actor, made_by, made_by_key)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9 where $5::timestamptz is null or $5 > now() returning *`,
    [
      key.tenantId,
      key.name,
      key.hash,
      key.scopes,
      key.expiresAt ?? null,
      key.grant ?? null,
      key.actor ?? null,
      key.maker?.actor ?? null,
      key.maker?.keyId ?? null,
    ],
  );
  return rows[0] && apiKeyFrom(rows[0]);
}

interface KnownKeyRow {
  id: Id<'key'>;
  key_hash: Buffer;
  scopes: Scope[];
  made_with_grant: Grant | null;
  actor: string | null;
  tenant_id: Id<'tenant'> | null;
  handle: string | null;
  expires_at: Date | null;
  expired: boolean;
  revoked: boolean;
}

const KNOWN_KEYS = `select k.id, k.key_hash, k.scopes, k.made_with_grant, k.actor, k.tenant_id, t.handle, k.expires_at,
      coalesce(k.expires_at <= now(), false) as expired, k.revoked_at is not null as revoked
     from api_keys k left join tenants t on t.id = k.tenant_id`;

/** The key with this hash, also an expired or revoked one, with its tenant. */
export async function findApiKey(db: Queryable, hash: Buffer): Promise<KnownKey | undefined> {
  const { rows } = await db.query<KnownKeyRow>({
    name: 'find-api-key',
    text: `${KNOWN_KEYS} where k.key_hash = $1`,
    values: [hash],
  });
  return rows[0] && knownKeyFrom(rows[0]);
}

/** The key with this id, as {@link findApiKey} finds it. */
export async function findApiKeyById(db: Queryable, id: Id<'key'>): Promise<KnownKey | undefined> {
  const { rows } = await db.query<KnownKeyRow>({
    name: 'find-api-key-by-id',
    text: `${KNOWN_KEYS} where k.id = $1`,
    values: [id],
  });
  return rows[0] && knownKeyFrom(rows[0]);
}

function knownKeyFrom(row: KnownKeyRow): KnownKey {
  return {
    id: row.id,
    hash: row.key_hash,
    scopes: row.scopes,
    ...(row.made_with_grant ? { grant: row.made_with_grant } : {}),
    ...(row.actor === null ? {} : { actor: row.actor }),
    expired: row.expired,
    ...(row.expires_at ? { expiresAt: row.expires_at } : {}),
    revoked: row.revoked,
    ...(row.tenant_id && row.handle ? { tenant: { id: row.tenant_id, handle: row.handle } } : {}),
  };
}

/** A tenant's keys, newest first, before a given one. */
export async function listApiKeys(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { before?: Id<'key'>; limit: number },
): Promise<ApiKey[]> {
  const { rows } = await db.query<ApiKeyRow>(
    `select * from api_keys where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
    [tenantId, page.before ?? null, page.limit],
  );
  return rows.map(apiKeyFrom);
}

/** Revokes a tenant's key, now or long ago; false where there is none. */
export async function revokeApiKey(db: Queryable, tenantId: Id<'tenant'>, id: Id<'key'>): Promise<boolean> {
  const { rowCount } = await db.query(
    'update api_keys set revoked_at = coalesce(revoked_at, now()) where id = $1 and tenant_id = $2',
    [id, tenantId],
  );
  return rowCount === 1;
}

/** Whether the installation has an admin key that works. */
export async function hasAdminKey(db: Queryable): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from api_keys where tenant_id is null and revoked_at is null
     and (expires_at is null or expires_at > now()) limit 1`,
  );
  return rowCount === 1;
}

/**
 * Makes these the admin keys of the installation and revokes all others: none is made twice. Returns those that were made
 * or work again, and those that were revoked.
 */
export async function installAdminKeys(
  db: Queryable,
  hashes: readonly Buffer[],
): Promise<{ made: Id<'key'>[]; revoked: Id<'key'>[] }> {
  const changed = await db.query<{ made: Id<'key'>[]; revoked: Id<'key'>[] }>(
    `with others as (
      update api_keys set revoked_at = now()
      where tenant_id is null and revoked_at is null and key_hash <> all($1::bytea[])
      returning id
    ), made as (
      insert into api_keys (name, key_hash, scopes)
      -- Both of a rotation may be the same one.
      select distinct 'admin', hash, array['admin'] from unnest($1::bytea[]) as h(hash) order by hash
      on conflict (key_hash) do update set revoked_at = null
        where api_keys.tenant_id is null and api_keys.revoked_at is not null
      returning id
    )
    select array(select id from made) as made, array(select id from others) as revoked`,
    [hashes],
  );
  return onlyRow(changed);
}

interface ApiKeyRow {
  id: Id<'key'>;
  name: string;
  scopes: Scope[];
  made_with_grant: Grant | null;
  actor: string | null;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

function apiKeyFrom(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    ...(row.made_with_grant ? { grant: row.made_with_grant } : {}),
    ...(row.actor === null ? {} : { actor: row.actor }),
    createdAt: row.created_at,
    ...(row.expires_at ? { expiresAt: row.expires_at } : {}),
    ...(row.revoked_at ? { revokedAt: row.revoked_at } : {}),
  };
}

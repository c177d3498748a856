import type { Queryable } from '../../../store/db/queryable.ts';

/** A public key that is registered with a tenant under a handle. */
export interface Signer {
  id: string;
  handle: string;
  publicKey: Buffer;
  createdAt: Date;
}

/** A signer with the tenant that it is registered with. */
export type TenantSigner = Signer & { tenant: { id: string; handle: string } };

/** Registers a public key; undefined where the tenant has the handle or the key already. */
export async function insertSigner(
  db: Queryable,
  signer: { tenantId: string; handle: string; publicKey: Buffer },
): Promise<Signer | undefined> {
  const { rows } = await db.query(
    'insert into signers (tenant_id, handle, public_key) values ($1, $2, $3) on conflict do nothing returning *',
    [signer.tenantId, signer.handle, signer.publicKey],
  );
  return rows[0] && signerFrom(rows[0]);
}

/** A tenant's signers, newest first, before a given one. */
export async function listSigners(
  db: Queryable,
  tenantId: string,
  page: { before?: string; limit: number },
): Promise<Signer[]> {
  const { rows } = await db.query(
    'select * from signers where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3',
    [tenantId, page.before ?? null, page.limit],
  );
  return rows.map(signerFrom);
}

/** Removes a tenant's signer; false where there is none. */
export async function deleteSigner(db: Queryable, tenantId: string, id: string): Promise<boolean> {
  const { rowCount } = await db.query('delete from signers where id = $1 and tenant_id = $2', [id, tenantId]);
  return rowCount === 1;
}

const WITH_TENANT = `select s.*, t.handle as tenant_handle from signers s join tenants t on t.id = s.tenant_id`;

/** Who has registered these keys, with one tenant or with all of them: a caller's key may be all that is known of it. */
export async function signersByKey(
  db: Queryable,
  publicKeys: Buffer[],
  tenantId: string | undefined,
): Promise<TenantSigner[]> {
  const { rows } = await db.query(
    `${WITH_TENANT} where s.public_key = any($1::bytea[]) and ($2::uuid is null or s.tenant_id = $2) order by s.id`,
    [publicKeys, tenantId ?? null],
  );
  return rows.map(tenantSignerFrom);
}

/** The first `limit` signers of this handle, of one tenant or of all of them. */
export async function signersByHandle(
  db: Queryable,
  handle: string,
  tenantId: string | undefined,
  limit: number,
): Promise<TenantSigner[]> {
  const { rows } = await db.query(
    `${WITH_TENANT} where s.handle = $1 and ($2::uuid is null or s.tenant_id = $2) order by s.id limit $3`,
    [handle, tenantId ?? null, limit],
  );
  return rows.map(tenantSignerFrom);
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it
function signerFrom(row: any): Signer {
  return { id: row.id, handle: row.handle, publicKey: row.public_key, createdAt: row.created_at };
}

// biome-ignore lint/suspicious/noExplicitAny: a row as the driver gives it
function tenantSignerFrom(row: any): TenantSigner {
  return { ...signerFrom(row), tenant: { id: row.tenant_id, handle: row.tenant_handle } };
}

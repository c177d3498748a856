import type { SignerProof } from '../../../domain/tenancy/signer-proof.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';

/** A public key that is registered with a tenant under a handle. */
export interface Signer {
  id: Id<'signer'>;
  handle: string;
  publicKey: Buffer;
  /** Absent where it was registered before proofs were asked for. */
  provedBy?: SignerProof;
  createdAt: Date;
}

/** A signer with the tenant that it is registered with. */
export type TenantSigner = Signer & { tenant: { id: Id<'tenant'>; handle: string } };

/** Registers a public key; undefined where the tenant has the handle or the key already. */
export async function insertSigner(
  db: Queryable,
  signer: { tenantId: Id<'tenant'>; handle: string; publicKey: Buffer; provedBy: SignerProof },
): Promise<Signer | undefined> {
  const { rows } = await db.query<SignerRow>(
    `insert into signers (tenant_id, handle, public_key, proved_by) values ($1, $2, $3, $4)
     on conflict do nothing returning *`,
    [signer.tenantId, signer.handle, signer.publicKey, signer.provedBy],
  );
  return rows[0] && signerFrom(rows[0]);
}

/** Keeps the proof of a signer that was registered without one; undefined where the tenant has no such signer. */
export async function proveSigner(
  db: Queryable,
  signer: { tenantId: Id<'tenant'>; handle: string; publicKey: Buffer; provedBy: SignerProof },
): Promise<Signer | undefined> {
  const { rows } = await db.query<SignerRow>(
    `update signers set proved_by = $4
     where tenant_id = $1 and handle = $2 and public_key = $3 and proved_by is null returning *`,
    [signer.tenantId, signer.handle, signer.publicKey, signer.provedBy],
  );
  return rows[0] && signerFrom(rows[0]);
}

/** A tenant's signers, newest first, before a given one. */
export async function listSigners(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { before?: Id<'signer'>; limit: number },
): Promise<Signer[]> {
  const { rows } = await db.query<SignerRow>(
    'select * from signers where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3',
    [tenantId, page.before ?? null, page.limit],
  );
  return rows.map(signerFrom);
}

/** Removes a tenant's signer; false where there is none. */
export async function deleteSigner(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'signer'>,
): Promise<boolean> {
  const { rowCount } = await db.query('delete from signers where id = $1 and tenant_id = $2', [id, tenantId]);
  return rowCount === 1;
}

const WITH_TENANT = `select s.*, t.handle as tenant_handle from signers s join tenants t on t.id = s.tenant_id`;

/** The signers of these keys, with one tenant or with all of them: a caller's key may be all that is known of it. */
export async function signersByKey(
  db: Queryable,
  publicKeys: Buffer[],
  tenantId: Id<'tenant'> | undefined,
): Promise<TenantSigner[]> {
  const { rows } = await db.query<TenantSignerRow>(
    `${WITH_TENANT} where s.public_key = any($1::bytea[]) and ($2::uuid is null or s.tenant_id = $2) order by s.id`,
    [publicKeys, tenantId ?? null],
  );
  return rows.map(tenantSignerFrom);
}

/**
 * The signers of this handle with the tenants that are named by id or handle: a handle means nothing without its
 * tenant.
 */
export async function signersByHandle(
  db: Queryable,
  handle: string,
  tenants: { ids: Id<'tenant'>[]; handles: string[] },
): Promise<TenantSigner[]> {
  const { rows } = await db.query<TenantSignerRow>(
    `${WITH_TENANT} where s.handle = $1 and (s.tenant_id = any($2::uuid[]) or t.handle = any($3::text[])) order by s.id`,
    [handle, tenants.ids, tenants.handles],
  );
  return rows.map(tenantSignerFrom);
}

interface SignerRow {
  id: Id<'signer'>;
  handle: string;
  public_key: Buffer;
  proved_by: SignerProof | null;
  created_at: Date;
}

type TenantSignerRow = SignerRow & { tenant_id: Id<'tenant'>; tenant_handle: string };

function signerFrom(row: SignerRow): Signer {
  return {
    id: row.id,
    handle: row.handle,
    publicKey: row.public_key,
    ...(row.proved_by ? { provedBy: row.proved_by } : {}),
    createdAt: row.created_at,
  };
}

function tenantSignerFrom(row: TenantSignerRow): TenantSigner {
  return { ...signerFrom(row), tenant: { id: row.tenant_id, handle: row.tenant_handle } };
}

import type { JSONWebKeySet } from 'jose';
import type { Party } from '../../domain/policy/approver.ts';
import type { JwtAlgorithm } from '../../domain/tenancy/jwt-algorithm.ts';
import type { Scope } from '../../domain/tenancy/scope.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** An issuer whose tokens are accepted, and their scopes; its secret is sealed. */
export interface JwtIssuer {
  id: Id<'jwtIssuer'>;
  name: string;
  issuer: string;
  audience: string;
  algorithm: JwtAlgorithm;
  sealedSecret?: Buffer;
  jwks?: JSONWebKeySet;
  jwksUrl?: string;
  scopes: Scope[];
  /** The installation registered it, for itself or for a tenant: its tokens need not name a tenant. */
  byInstallation: boolean;
  /** Absent where it is the installation's. */
  tenant?: { id: Id<'tenant'>; handle: string };
  createdAt: Date;
  revokedAt?: Date;
}

/** A tenant as a request names it. */
export type TenantName = { id: Id<'tenant'> } | { handle: string };

/**
 * Registers an issuer; undefined where its tenant has one with this issuer and audience, or the installation made one.
 */
export async function insertJwtIssuer(
  db: Queryable,
  issuer: Omit<JwtIssuer, 'createdAt' | 'revokedAt'>,
  maker?: Party,
): Promise<JwtIssuer | undefined> {
  const { rows } = await db.query<IssuerRow>(
    `with made as (
      insert into jwt_issuers (id, tenant_id, name, issuer, audience, algorithm, sealed_secret, jwks, jwks_url, scopes,
        by_installation, made_by, made_by_key)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
      on conflict do nothing returning *
    ) select i.*, t.handle from made i left join tenants t on t.id = i.tenant_id`,
    [
      issuer.id,
      issuer.tenant?.id ?? null,
      issuer.name,
      issuer.issuer,
      issuer.audience,
      issuer.algorithm,
      issuer.sealedSecret ?? null,
      issuer.jwks ? JSON.stringify(issuer.jwks) : null,
      issuer.jwksUrl ?? null,
      issuer.scopes,
      issuer.byInstallation,
      maker?.actor ?? null,
      maker?.keyId ?? null,
    ],
  );
  return rows[0] && issuerFrom(rows[0]);
}

/**
 * The issuers that a token with these claims may be of: working ones first, and among these those that the installation
 * registered, then the newest revoked. With a tenant named, its own and those of the installation as a whole; without,
 * only those that the installation registered: a tenant's issuer says nothing about calls that do not name the tenant.
 */
export async function findJwtIssuers(
  db: Queryable,
  {
    issuer,
    audiences,
    named,
  }: { issuer: string; audiences: readonly string[]; named?: TenantName | undefined },
): Promise<JwtIssuer[]> {
  const { rows } = await db.query<IssuerRow>({
    name: 'find-jwt-issuers',
    text: `select i.*, t.handle from jwt_issuers i left join tenants t on t.id = i.tenant_id
      where i.issuer = $1 and i.audience = any($2)
      and case when $3 then i.tenant_id is null or t.id = $4 or t.handle = $5 else i.by_installation end
      order by i.revoked_at is not null, i.by_installation desc, i.revoked_at desc limit 4`,
    values: [
      issuer,
      audiences,
      named !== undefined,
      named && 'id' in named ? named.id : null,
      named && 'handle' in named ? named.handle : null,
    ],
  });
  return rows.map(issuerFrom);
}

/** Some issuers, of any tenants, that a token with these claims may be of. */
export async function findIssuersOfTenants(
  db: Queryable,
  { issuer, audiences }: { issuer: string; audiences: readonly string[] },
): Promise<JwtIssuer[]> {
  const { rows } = await db.query<IssuerRow>({
    name: 'find-issuers-of-tenants',
    text: `select i.*, t.handle from jwt_issuers i join tenants t on t.id = i.tenant_id
      where i.issuer = $1 and i.audience = any($2) and i.revoked_at is null order by i.id limit 4`,
    values: [issuer, audiences],
  });
  return rows.map(issuerFrom);
}

/** Issuers of a tenant, or of the installation, newest first, before a given one. */
export async function listJwtIssuers(
  db: Queryable,
  tenantId: Id<'tenant'> | undefined,
  page: { before?: Id<'jwtIssuer'>; limit: number },
): Promise<JwtIssuer[]> {
  const { rows } = await db.query<IssuerRow>(
    `select i.*, t.handle from jwt_issuers i left join tenants t on t.id = i.tenant_id
     where i.tenant_id is not distinct from $1 and ($2::uuid is null or i.id < $2) order by i.id desc limit $3`,
    [tenantId ?? null, page.before ?? null, page.limit],
  );
  return rows.map(issuerFrom);
}

/** Revokes an issuer of a tenant, or of the installation, now or long ago; false where there is none. */
export async function revokeJwtIssuer(
  db: Queryable,
  tenantId: Id<'tenant'> | undefined,
  id: Id<'jwtIssuer'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update jwt_issuers set revoked_at = coalesce(revoked_at, now())
     where id = $1 and tenant_id is not distinct from $2`,
    [id, tenantId ?? null],
  );
  return rowCount === 1;
}

interface IssuerRow {
  id: Id<'jwtIssuer'>;
  name: string;
  issuer: string;
  audience: string;
  algorithm: JwtAlgorithm;
  sealed_secret: Buffer | null;
  jwks: JSONWebKeySet | null;
  jwks_url: string | null;
  scopes: Scope[];
  by_installation: boolean;
  tenant_id: Id<'tenant'> | null;
  handle: string | null;
  created_at: Date;
  revoked_at: Date | null;
}

function issuerFrom(row: IssuerRow): JwtIssuer {
  return {
    id: row.id,
    name: row.name,
    issuer: row.issuer,
    audience: row.audience,
    algorithm: row.algorithm,
    ...(row.sealed_secret ? { sealedSecret: row.sealed_secret } : {}),
    ...(row.jwks ? { jwks: row.jwks } : {}),
    ...(row.jwks_url ? { jwksUrl: row.jwks_url } : {}),
    scopes: row.scopes,
    byInstallation: row.by_installation,
    ...(row.tenant_id && row.handle ? { tenant: { id: row.tenant_id, handle: row.handle } } : {}),
    createdAt: row.created_at,
    ...(row.revoked_at ? { revokedAt: row.revoked_at } : {}),
  };
}

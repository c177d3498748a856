import { timingSafeEqual } from 'node:crypto';
import { hasScope } from '../domain/scope.ts';
import { readId } from '../domain/typed-id.ts';
import { findApiKey } from '../store/api-keys.ts';
import type { Queryable } from '../store/queryable.ts';
import { findTenant } from '../store/tenants.ts';
import { hashApiKey } from './api-key.ts';
import { type Problem, problem } from './problem.ts';
import type { Access, TenantRef } from './route.ts';

/** Who is calling. */
export interface Caller {
  keyId: string;
  scopes: readonly string[];
  /** The tenant the key belongs to; a key of the installation has none. */
  tenant?: TenantRef;
}

/** Headers that authentication reads. */
export interface CredentialHeaders {
  authorization: string | undefined;
  /** `Redrive-Tenant`: the tenant a key of the installation acts for. */
  tenant: string | undefined;
}

/** Who is calling and for which tenant, or why the call is refused: credential, then tenant, then scope. */
export async function authenticate(
  db: Queryable,
  access: Exclude<Access, { of: 'anyone' }>,
  headers: CredentialHeaders,
): Promise<{ caller: Caller; tenant?: TenantRef } | Problem> {
  const caller = await callerOf(db, headers.authorization);
  if ('problem' in caller) return caller;
  const tenant = access.of === 'tenant' ? await tenantOf(db, caller, headers.tenant) : undefined;
  if (tenant !== undefined && 'problem' in tenant) return tenant;
  const needed = access.of === 'installation' ? 'admin' : access.scope;
  if (!hasScope(caller.scopes, needed))
    return problem('insufficient_scope', {
      detail: `This call needs the scope \`${needed}\`, which this API key does not have.`,
    });
  if (access.of === 'tenant' && access.tenant !== 'optional' && tenant === undefined)
    return problem('tenant_required');
  return tenant ? { caller, tenant } : { caller };
}

async function callerOf(db: Queryable, authorization: string | undefined): Promise<Caller | Problem> {
  const key = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
  if (key === undefined) return refuse('credential_missing');
  const hash = hashApiKey(key);
  const found = await findApiKey(db, hash);
  if (found === undefined || !timingSafeEqual(found.hash, hash)) return refuse('credential_invalid');
  if (found.revoked) return refuse('credential_revoked');
  if (found.expired) return refuse('credential_expired');
  return { keyId: found.id, scopes: found.scopes, ...(found.tenant ? { tenant: found.tenant } : {}) };
}

/** A key of a tenant may name its own tenant, too; any other is not there for it. */
async function tenantOf(
  db: Queryable,
  caller: Caller,
  named: string | undefined,
): Promise<TenantRef | Problem | undefined> {
  if (named === undefined || named === '') return caller.tenant;
  const id = readId('tenant', named);
  const matchesOwn = caller.tenant?.handle === named || (id !== undefined && caller.tenant?.id === id);
  if (caller.tenant && matchesOwn) return caller.tenant;
  const tenant = caller.tenant
    ? undefined
    : await findTenant(db, id === undefined ? { handle: named } : { id });
  if (tenant) return { id: tenant.id, handle: tenant.handle };
  return problem('not_found', {
    detail: 'The tenant named in the header `Redrive-Tenant` does not exist.',
    errors: [
      { parameter: 'Redrive-Tenant', code: 'unknown', message: 'Expected the handle or id of a tenant.' },
    ],
  });
}

function refuse(
  code: 'credential_missing' | 'credential_invalid' | 'credential_revoked' | 'credential_expired',
): Problem {
  return problem(code, { headers: { 'www-authenticate': 'Bearer realm="redrive"' } });
}

import type { Caller, TenantRef } from '../../api/authentication/caller.ts';
import { type Problem, problem } from '../../api/problems/problem.ts';
import { readId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';

/**
 * The tenant that a new credential is to belong to: the one that `tenantId` names, or the tenant of the call. A key of
 * the installation may name any tenant, another one only its own.
 */
export async function ownerNamed(
  db: Queryable,
  named: string | undefined,
  caller: Caller,
  tenant: TenantRef | undefined,
): Promise<TenantRef | Problem> {
  if (named === undefined) return tenant ?? problem('tenant_required');
  const id = readId('tenant', named);
  if (tenant && (tenant.handle === named || tenant.id === id)) return tenant;
  const found =
    caller.tenant === undefined && tenant === undefined && !named.includes('\0')
      ? await findTenant(db, id === undefined ? { handle: named } : { id })
      : undefined;
  return (
    found ??
    problem('not_found', {
      errors: [
        { pointer: '#/tenantId', code: 'unknown', message: 'Expected the id or handle of your tenant.' },
      ],
    })
  );
}

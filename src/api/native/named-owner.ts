import { readId } from '../../domain/typed-id.ts';
import type { Queryable } from '../../store/queryable.ts';
import { findTenant } from '../../store/tenants.ts';
import type { Caller } from '../authentication.ts';
import { type Problem, problem } from '../problem.ts';
import type { TenantRef } from '../route.ts';

/**
 * The tenant that `tenantId` in a body names, or that of the call where it names none. A credential of the installation
 * may name any, another one its own only.
 */
export async function namedOwner(
  db: Queryable,
  named: string | undefined,
  tenant: TenantRef | undefined,
  caller: Caller,
): Promise<TenantRef | undefined | Problem> {
  if (named === undefined) return tenant;
  const id = readId('tenant', named);
  if (tenant && (tenant.handle === named || tenant.id === id)) return tenant;
  const found =
    caller.tenant === undefined && tenant === undefined && !named.includes('\0')
      ? await findTenant(db, id === undefined ? { handle: named } : { id })
      : undefined;
  if (found) return { id: found.id, handle: found.handle };
  return problem('not_found', {
    errors: [
      { pointer: '#/tenantId', code: 'unknown', message: 'Expected the id or handle of your tenant.' },
    ],
  });
}

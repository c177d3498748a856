import type { ApiDeps } from '../api-deps.ts';
import { isProblem, type Problem, problem } from '../problems/problem.ts';
import type { Access } from '../route.ts';
import type { CredentialRequest, Surface } from '../surface.ts';
import { bearerToken, callerOf, refusedScope, tenantFor } from './authentication.ts';
import type { Authenticated } from './caller.ts';

/** The credential that {@link authenticateByKey} reads. */
export const API_KEY_CREDENTIAL: Surface['credentials'] = {
  apiKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key, `rdk_…`, or a token (JWT) of a registered issuer. Each operation names the scope it needs.',
  },
};

/**
 * Finds the caller by `Authorization: Bearer <API key or token>`, and the tenant: the key's own, or the one that
 * `Redrive-Tenant` names.
 */
export async function authenticateByKey(
  deps: ApiDeps,
  access: Exclude<Access, { of: 'anyone' }>,
  request: CredentialRequest,
): Promise<Authenticated | Problem> {
  const named = request.header('redrive-tenant');
  const caller = await callerOf(deps, bearerToken(request.header('authorization')), {
    named,
    installation: access.of === 'installation',
  });
  if (isProblem(caller)) return caller;
  const tenant =
    access.of === 'installation'
      ? undefined
      : named === undefined || named === ''
        ? caller.tenant
        : await tenantFor(deps.pool, caller, named);
  if (access.of !== 'installation' && named && !tenant)
    return problem('not_found', {
      detail: 'The tenant named in the header `Redrive-Tenant` does not exist.',
      errors: [
        {
          parameter: 'Redrive-Tenant',
          code: 'unknown',
          message: 'Expected the handle or id of a tenant.',
        },
      ],
    });
  if (access.of === 'caller') return tenant ? { caller, tenant } : { caller };
  const refused =
    access.of === 'installation'
      ? refusedScope(caller, 'admin')
      : refusedScope(caller, access.scope, access.part);
  if (refused) return tenant ? { ...refused, tenantId: tenant.id } : refused;
  if (access.of === 'tenant' && access.tenant !== 'optional' && tenant === undefined)
    return problem('tenant_required');
  return tenant ? { caller, tenant } : { caller };
}

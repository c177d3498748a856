import { bearerToken, callerOf, refusedScope, tenantFor } from '../authentication.ts';
import { isProblem, problem, renderNativeProblem } from '../problem.ts';
import type { Surface } from '../surface.ts';
import { nativeRoutes } from './native-routes.ts';

/** The native API with everything that no other surface owns: `Authorization: Bearer`, and `Redrive-Tenant` for keys of the installation. */
export const nativeSurface: Surface = {
  name: 'native',
  prefixes: ['/'],
  credentials: {
    apiKey: {
      type: 'http',
      scheme: 'bearer',
      description:
        'An API key, `rdk_…`, or a token (JWT) of a registered issuer. Each operation names the scope it needs.',
    },
  },
  async authenticate(deps, access, request) {
    const caller = await callerOf(deps, bearerToken(request.header('authorization')));
    if (isProblem(caller)) return caller;
    const named = request.header('redrive-tenant');
    const tenant =
      access.of === 'installation'
        ? undefined
        : named === undefined || named === ''
          ? caller.tenant
          : await tenantFor(deps.pool, caller, named);
    if (access.of === 'tenant' && named && !tenant)
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
    const refused = refusedScope(caller, access.of === 'installation' ? 'admin' : access.scope);
    if (refused) return refused;
    if (access.of === 'tenant' && access.tenant !== 'optional' && tenant === undefined)
      return problem('tenant_required');
    return tenant ? { caller, tenant } : { caller };
  },
  renderProblem: (failure, { requestId }) => renderNativeProblem(failure, requestId),
  routes: nativeRoutes,
};

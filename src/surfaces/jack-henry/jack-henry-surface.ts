import { bearerToken, callerOf, refusedScope, tenantFor } from '../../api/authentication/authentication.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import type { Surface } from '../../api/surface.ts';
import { PLATFORM_TENANT } from '../../store/tenancy/tenants.ts';
import { nativeSurface } from '../native/native-surface.ts';
import { dispatchRoutes } from './dispatch-routes.ts';
import { PREFIX, readUuid, refusedParameter } from './fields.ts';
import { retryRoutes } from './retry-routes.ts';
import { renderStandardError } from './standard-error.ts';
import { subscriptionRoutes } from './subscription-routes.ts';

/** Jack Henry Modern Eventing: institutions are tenants, named in the path by their uuids. */
export const jackHenrySurface: Surface = {
  name: 'jack-henry',
  title: 'Jack Henry Modern Eventing',
  prefixes: [PREFIX],
  credentials: {
    ...nativeSurface.credentials,
    bearerAuth: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'OpenIDConnect JWT Token',
    },
  },
  async authenticate(deps, access, request) {
    const caller = await callerOf(
      deps,
      bearerToken(request.header('authorization')),
      access.of === 'installation'
        ? { installation: true }
        : { named: request.params.institutionId?.toLowerCase() },
    );
    if (isProblem(caller)) return caller;
    if (access.of === 'installation') {
      // With any scopes: a credential of one institution never acts for the others.
      if (caller.tenant) return problem('insufficient_scope', { scope: 'admin' });
      return refusedScope(caller, 'admin') ?? { caller };
    }
    const id = readUuid('tenant', request.params.institutionId ?? '');
    if (id === undefined) return refusedParameter('institutionId');
    const tenant = id === PLATFORM_TENANT.id ? undefined : await tenantFor(deps.pool, caller, id);
    if (!tenant) return problem('not_found');
    const refused = access.of === 'tenant' ? refusedScope(caller, access.scope) : undefined;
    return refused ?? { caller, tenant };
  },
  renderProblem: renderStandardError,
  routes: (deps) => [...retryRoutes(deps), ...dispatchRoutes(deps), ...subscriptionRoutes(deps)],
};

import type { ApiDeps } from '../../api/api-deps.ts';
import { apiKeyHeader, bearerToken, callerOf, tenantFor } from '../../api/authentication/authentication.ts';
import type { Caller, TenantRef } from '../../api/authentication/caller.ts';
import { isProblem, type Problem, problem } from '../../api/problems/problem.ts';
import type { CredentialRequest, Surface } from '../../api/surface.ts';
import { hasScope } from '../../domain/tenancy/scope.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';
import { deliveryRoutes } from './delivery-routes.ts';
import { refusedBatch } from './plan-gate.ts';
import { notFoundDetail, renderZenProblem } from './problems.ts';
import { replayRoutes } from './replay-routes.ts';
import { retryRoutes } from './retry-routes.ts';

const BATCH = /^\/v1\/tenants\/[^/]+\/retry\/batch$/;

/** Zen Mesh: retry, batch retry, deliveries with their attempts, and replays. */
export const zenMeshSurface: Surface = {
  name: 'zen-mesh',
  title: 'Zen Mesh',
  // The last one is not served; its 404 says where to go instead.
  prefixes: ['/v1', '/events/retry/batch'],
  credentials: {
    apiKey: {
      type: 'http',
      scheme: 'bearer',
      description:
        'An API key, `rdk_…`, or a token (JWT) of a registered issuer. Each operation names the scope it needs.',
    },
    zenApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
  },
  async authenticate(deps, access, request) {
    const caller = await callerOf(deps, credentialOf(request), { named: tenantName(request) });
    if (isProblem(caller)) return caller;
    const tenant = await tenantOf(deps, caller, request);
    if (isProblem(tenant)) return tenant;
    const scope = access.of === 'tenant' ? access.scope : 'admin';
    if (!hasScope(caller.scopes, scope))
      return problem('insufficient_scope', {
        scope,
        detail: `${caller.keyId === undefined ? 'Token' : 'API key'} does not have ${scope} scope.`,
      });
    return (await refusedByPlan(deps, tenant, request)) ?? { caller, tenant };
  },
  renderProblem: renderZenProblem,
  rateLimit: { requests: 100, windowSeconds: 60, burst: 200 },
  preset: {
    // Its guide to the traffic lifecycle: exponential, 5 attempts, 1 s to 60 s; four waits reach the cap by a factor of
    // 4.
    config: { retry: { maxAttempts: 5, initialMs: 1_000, factor: 4, capMs: 60_000 } },
    // Its wire format names the delivery once more.
    headers: (deliveryId) => ({ 'x-zen-delivery-idempotency-key': deliveryId }),
  },
  routes: (deps) => [...retryRoutes(deps), ...deliveryRoutes(deps), ...replayRoutes(deps)],
};

function credentialOf(request: CredentialRequest): string | undefined {
  return bearerToken(request.header('authorization')) ?? apiKeyHeader(request.header('x-api-key'));
}

/** The name of the tenant: from the path, or else from the header `X-Tenant-ID`. */
function tenantName({ params, header }: CredentialRequest): string | undefined {
  return params.tid ?? header('x-tenant-id');
}

async function tenantOf(
  { pool }: ApiDeps,
  caller: Caller,
  request: CredentialRequest,
): Promise<TenantRef | Problem> {
  const named = tenantName(request);
  if (named === undefined || named === '')
    return (
      caller.tenant ??
      problem('tenant_required', {
        errors: [{ parameter: 'X-Tenant-ID', code: 'required', message: 'This header is required here.' }],
      })
    );
  return (
    (await tenantFor(pool, caller, named)) ??
    problem('not_found', { detail: notFoundDetail('Tenant', named) })
  );
}

/** Plans are looked at before the body: a caller whose plan lacks the call is not told what is wrong with the body. */
async function refusedByPlan(
  { pool }: ApiDeps,
  tenant: TenantRef,
  { method, url }: CredentialRequest,
): Promise<Problem | undefined> {
  if (method !== 'POST' || !BATCH.test(url.split('?')[0] ?? '')) return undefined;
  return refusedBatch((await findTenant(pool, { id: tenant.id }))?.plan, 1);
}

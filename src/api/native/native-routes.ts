import type { ApiDeps } from '../api-deps.ts';
import type { Route } from '../route.ts';
import { accessRuleRoutes } from './access-rules.ts';
import { ackRoutes } from './acks.ts';
import { deliveryRoutes } from './deliveries.ts';
import { endpointRoutes } from './endpoints.ts';
import { eventRoutes } from './events.ts';
import { executionRoutes } from './executions.ts';
import { jwtIssuerRoutes } from './jwt-issuers.ts';
import { keyRoutes } from './keys.ts';
import { ProgressRate } from './progress-rate.ts';
import { retryRoutes } from './retries.ts';
import { retryControlRoutes } from './retry-control.ts';
import { retryItemRoutes } from './retry-items.ts';
import { retryProgressRoutes } from './retry-progress.ts';
import { signerRoutes } from './signers.ts';
import { tenantRoutes } from './tenants.ts';

/** The native API, `/api/v1`. */
export function nativeRoutes(deps: ApiDeps): Route[] {
  const rate = new ProgressRate();
  return [
    ...tenantRoutes(deps),
    ...keyRoutes(deps),
    ...jwtIssuerRoutes(deps),
    ...signerRoutes(deps),
    ...accessRuleRoutes(deps),
    ...endpointRoutes(deps),
    ...eventRoutes(deps),
    ...deliveryRoutes(deps),
    ...executionRoutes(deps),
    ...ackRoutes(deps),
    ...retryRoutes(deps, rate),
    ...retryControlRoutes(deps, rate),
    ...retryItemRoutes(deps),
    ...retryProgressRoutes(deps, rate),
  ];
}

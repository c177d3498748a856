import type { ApiDeps } from '../../api/api-deps.ts';
import { createTurns } from '../../api/limits/turns.ts';
import { logActs } from '../../api/log-acts.ts';
import type { Route } from '../../api/route.ts';
import { ACTS } from './acts.ts';
import { auditRoutes } from './audit/audit.ts';
import { sessionRoutes } from './console/sessions.ts';
import { ackRoutes } from './deliveries/acks.ts';
import { adviceRoutes } from './deliveries/advice.ts';
import { deliveryRoutes } from './deliveries/deliveries.ts';
import { eventListRoutes } from './deliveries/event-list.ts';
import { eventRoutes } from './deliveries/events.ts';
import { executionRoutes } from './deliveries/executions.ts';
import { resolutionRoutes } from './deliveries/resolutions.ts';
import { endpointTestRoutes } from './endpoints/endpoint-tests.ts';
import { endpointVersionRoutes } from './endpoints/endpoint-versions.ts';
import { endpointRoutes } from './endpoints/endpoints.ts';
import { statsRoutes } from './figures/attempt-stats.ts';
import { deliveryFigureRoutes } from './figures/delivery-figures.ts';
import { searchRoutes } from './figures/search.ts';
import { importRoutes } from './imports/imports.ts';
import { listenerRoutes } from './listeners/listeners.ts';
import { takeNames } from './names.ts';
import { outageRoutes } from './outages/outages.ts';
import { planItemRoutes } from './plans/plan-items.ts';
import { planRoutes } from './plans/plans.ts';
import { meRoutes } from './policy/me.ts';
import { platformLimitRoutes } from './policy/platform-limits.ts';
import { platformRetentionRoutes } from './policy/platform-retention.ts';
import { policyRoutes } from './policy/policies.ts';
import { verdictRoutes } from './policy/verdicts.ts';
import { ledgerProofRoutes } from './proof/ledger-proofs.ts';
import { signingKeyRoutes } from './proof/signing-keys.ts';
import { ProgressRate } from './retries/progress-rate.ts';
import { retryRoutes } from './retries/retries.ts';
import { retryControlRoutes } from './retries/retry-control.ts';
import { retryFigureRoutes } from './retries/retry-figures.ts';
import { retryItemRoutes } from './retries/retry-items.ts';
import { retryProgressRoutes } from './retries/retry-progress.ts';
import { retryReportRoutes } from './retries/retry-report.ts';
import { retryWorkflowRoutes } from './retries/retry-workflow.ts';
import { streamRoutes } from './stream/stream.ts';
import { jwtIssuerRoutes } from './tenancy/jwt-issuers.ts';
import { keyRoutes } from './tenancy/keys.ts';
import { tenantRoutes } from './tenancy/tenants.ts';

/**
 * Pages that are read and written at a time, of all exports of a process: others want connections and the loop, too.
 */
const PAGES_AT_ONCE = 2;

/** The native API, `/api/v1`. */
export function nativeRoutes(deps: ApiDeps): Route[] {
  const rate = new ProgressRate();
  const inTurn = createTurns(PAGES_AT_ONCE);
  const acting = (routes: Route[]) => logActs(deps.log, ACTS, routes);
  return [
    ...acting(tenantRoutes(deps)),
    ...acting(platformLimitRoutes(deps)),
    ...acting(platformRetentionRoutes(deps)),
    ...acting(keyRoutes(deps)),
    ...acting(jwtIssuerRoutes(deps)),
    ...meRoutes(deps),
    ...acting(policyRoutes(deps)),
    ...takeNames(deps.pool, 'endpoint', [
      ...acting([...endpointRoutes(deps), ...endpointTestRoutes(deps)]),
      ...endpointVersionRoutes(deps),
    ]),
    ...acting(listenerRoutes(deps)),
    ...takeNames(deps.pool, 'event', acting(eventRoutes(deps))),
    ...resolutionRoutes(deps),
    ...eventListRoutes(deps),
    ...statsRoutes(deps),
    ...searchRoutes(deps),
    // Before those of one delivery, whose id could be any word.
    ...deliveryFigureRoutes(deps),
    ...deliveryRoutes(deps, inTurn),
    ...adviceRoutes(deps),
    ...executionRoutes(deps),
    ...ackRoutes(deps),
    ...planRoutes(deps),
    ...planItemRoutes(deps),
    ...retryRoutes(deps, rate),
    ...retryControlRoutes(deps, rate),
    ...verdictRoutes(deps, rate),
    ...retryFigureRoutes(deps),
    ...retryItemRoutes(deps, inTurn),
    ...retryProgressRoutes(deps, rate),
    ...retryReportRoutes(deps),
    ...retryWorkflowRoutes(deps),
    ...streamRoutes(deps, rate),
    ...ledgerProofRoutes(deps, inTurn),
    ...acting(signingKeyRoutes(deps)),
    ...acting(outageRoutes(deps)),
    ...acting(importRoutes(deps, inTurn)),
    ...auditRoutes(deps, inTurn),
    ...sessionRoutes(deps),
  ];
}

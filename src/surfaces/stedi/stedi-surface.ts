import { callerOf, refusedScope } from '../../api/authentication/authentication.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import type { Surface } from '../../api/surface.ts';
import { executionRoutes } from './executions.ts';
import { failedFileChore } from './failed-file-feed.ts';
import { pollingRoutes } from './polling.ts';
import { repeatEventRoutes } from './repeat-event.ts';
import { retryExecutionsRoutes } from './retry-executions.ts';
import { renderStediProblem } from './stedi-error.ts';

/** The documented server has its version as a prefix; clients leave it out as often. */
const VERSION_PREFIX = '/2023-08-01';

/**
 * The retry API of Stedi: `Authorization: <key>`, or `Key <key>` as older clients write it; the tenant is the key's.
 */
export const stediSurface: Surface = {
  name: 'stedi',
  title: 'Stedi',
  prefixes: ['/executions', '/polling', '/events', VERSION_PREFIX],
  versionPrefix: VERSION_PREFIX,
  credentials: {
    stediKey: {
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      description:
        'An API key, `rdk_…`, by itself or after the word `Key`. Each operation names the scope it needs.',
    },
  },
  async authenticate(deps, access, request) {
    const caller = await callerOf(
      deps,
      apiKey(request.header('authorization')),
      // Keys know their tenant; a token of an issuer that a tenant registered has no other way to name it here.
      { named: request.header('redrive-tenant') },
    );
    if (isProblem(caller)) return caller;
    if (!caller.tenant)
      return problem('insufficient_scope', {
        detail: 'This API key belongs to no account: use one of the account.',
      });
    const refused = access.of === 'tenant' ? refusedScope(caller, access.scope) : undefined;
    return refused ?? { caller, tenant: caller.tenant };
  },
  renderProblem: (failure, { requestId }) => renderStediProblem(failure, requestId),
  // Automatic delivery: 3 attempts, every 6 minutes.
  preset: { config: { retry: { maxAttempts: 3, initialMs: 360_000, factor: 1, capMs: 360_000 } } },
  chores: (deps) => [failedFileChore(deps)],
  routes: (deps) =>
    [
      ...retryExecutionsRoutes(deps),
      ...pollingRoutes(deps),
      ...executionRoutes(deps),
      ...repeatEventRoutes(deps),
    ].flatMap((route) => [route, { ...route, path: `${VERSION_PREFIX}${route.path}` }]),
};

function apiKey(authorization: string | undefined): string | undefined {
  return /^(?:Key +)?([\x21-\x7e]{1,8192})$/i.exec(authorization ?? '')?.[1];
}

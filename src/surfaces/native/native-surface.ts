import { API_KEY_CREDENTIAL } from '../../api/authentication/key-authentication.ts';
import { authenticateByKeyOrSession } from '../../api/authentication/session-authentication.ts';
import { renderNativeProblem } from '../../api/problems/problem.ts';
import type { Surface } from '../../api/surface.ts';
import { dropOldSessions } from '../../store/tenancy/console-sessions.ts';
import { nativeRoutes } from './native-routes.ts';

/** Sessions that are removed in one round. */
const DROP_BATCH = 500;

/**
 * The native API, with everything that no other surface owns. It reads `Authorization: Bearer`, and `Redrive-Tenant`
 * for keys of the installation; it alone takes sessions of the console.
 */
export const nativeSurface: Surface = {
  name: 'native',
  title: 'the native API',
  prefixes: ['/'],
  credentials: API_KEY_CREDENTIAL,
  authenticate: authenticateByKeyOrSession,
  takesGrants: true,
  renderProblem: (failure, { requestId }) => renderNativeProblem(failure, requestId),
  chores: ({ pool }) => [
    { name: 'old_sessions', run: async () => void (await dropOldSessions(pool, DROP_BATCH)) },
  ],
  routes: nativeRoutes,
};

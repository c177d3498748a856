import { API_KEY_CREDENTIAL, authenticateByKey } from '../../api/authentication/key-authentication.ts';
import { renderNativeProblem } from '../../api/problems/problem.ts';
import type { Surface } from '../../api/surface.ts';
import { nativeRoutes } from './native-routes.ts';

/**
 * The native API, with everything that no other surface owns. It reads `Authorization: Bearer`, and `Redrive-Tenant`
 * for keys of the installation.
 */
export const nativeSurface: Surface = {
  name: 'native',
  title: 'the native API',
  prefixes: ['/'],
  credentials: API_KEY_CREDENTIAL,
  authenticate: authenticateByKey,
  takesGrants: true,
  renderProblem: (failure, { requestId }) => renderNativeProblem(failure, requestId),
  routes: nativeRoutes,
};

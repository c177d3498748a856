import { API_KEY_CREDENTIAL, authenticateByKey } from '../key-authentication.ts';
import { renderNativeProblem } from '../problem.ts';
import type { Surface } from '../surface.ts';
import { nativeRoutes } from './native-routes.ts';

/** The native API with everything that no other surface owns: `Authorization: Bearer`, and `Redrive-Tenant` for keys of the installation. */
export const nativeSurface: Surface = {
  name: 'native',
  prefixes: ['/'],
  credentials: API_KEY_CREDENTIAL,
  authenticate: authenticateByKey,
  takesGrants: true,
  renderProblem: (failure, { requestId }) => renderNativeProblem(failure, requestId),
  routes: nativeRoutes,
};

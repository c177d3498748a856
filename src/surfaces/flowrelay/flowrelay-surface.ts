import { API_KEY_CREDENTIAL, authenticateByKey } from '../../api/key-authentication.ts';
import type { Surface } from '../../api/surface.ts';
import { diagnosticsRoutes } from './diagnostics.ts';
import { renderFlowRelayProblem } from './flowrelay-problem.ts';
import { receiptRoutes } from './receipts.ts';
import { replayRoutes } from './replays.ts';

/** FlowRelay: receipts, the decision guide, replay by preview, confirmation and execution, diagnostics. */
export const flowRelaySurface: Surface = {
  name: 'flowrelay',
  prefixes: ['/flowrelay/v1'],
  credentials: API_KEY_CREDENTIAL,
  authenticate: authenticateByKey,
  takesGrants: true,
  renderProblem: (failure, { requestId }) => renderFlowRelayProblem(failure, requestId),
  routes: (deps) => [...receiptRoutes(deps), ...replayRoutes(deps), ...diagnosticsRoutes(deps)],
};

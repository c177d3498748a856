import { API_KEY_CREDENTIAL, authenticateByKey } from '../../api/authentication/key-authentication.ts';
import type { Surface } from '../../api/surface.ts';
import { diagnosticsRoutes } from './diagnostics.ts';
import { renderFlowRelayProblem } from './flowrelay-problem.ts';
import { receiptRoutes } from './receipts.ts';
import { replayRoutes } from './replays.ts';
import { dropExpiredDiagnostics } from './store/receipt-diagnostics.ts';

/** Previews of diagnostics that are dropped in one round. */
const DROP_BATCH = 500;

/** FlowRelay: receipts, the decision guide, replay by preview, confirmation and execution, diagnostics. */
export const flowRelaySurface: Surface = {
  name: 'flowrelay',
  title: 'FlowRelay',
  prefixes: ['/flowrelay/v1'],
  credentials: API_KEY_CREDENTIAL,
  authenticate: authenticateByKey,
  takesGrants: true,
  renderProblem: (failure, { requestId }) => renderFlowRelayProblem(failure, requestId),
  // Processing that may have started is never sent again by itself.
  preset: { config: { onAmbiguous: 'hold' } },
  chores: ({ pool }) => [
    { name: 'expired_diagnostics', run: async () => void (await dropExpiredDiagnostics(pool, DROP_BATCH)) },
  ],
  routes: (deps) => [...receiptRoutes(deps), ...replayRoutes(deps), ...diagnosticsRoutes(deps)],
};

import type { ActBy } from '../../domain/audit/audit-action.ts';
import { showId } from '../../domain/tenancy/typed-id.ts';
import { endListenerRow, type Listener } from '../../store/listeners/listeners.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { deleteEndpoint } from '../switch-endpoint.ts';

/**
 * Ends a listener and deletes its endpoint, by whoever opened it, or by nobody where its time is over. The endpoint goes
 * first: a listener that was left in between is found again, an endpoint without one would stay.
 */
export async function endListener(
  deps: RecoveryDeps,
  { id, tenantId, endpointId }: Listener,
  why: 'left' | 'expired',
  by?: ActBy,
): Promise<void> {
  await deleteEndpoint(deps, tenantId, endpointId, ['enabled', 'disabled'], by);
  await endListenerRow(deps.pool, id);
  deps.log.info({
    event: 'listener.ended',
    listenerId: showId('listener', id),
    tenantId: showId('tenant', tenantId),
    endpointId: showId('endpoint', endpointId),
    why,
  });
}

import type { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import type { ActBy } from '../../../domain/audit/audit-action.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import {
  LISTENER_LASTS_MS,
  LISTENERS_OF_TENANT,
  listenerUrl,
  REQUESTS_AT_ONCE,
} from '../../../domain/listeners/listener.ts';
import { type Id, newId, showId } from '../../../domain/tenancy/typed-id.ts';
import { endListener } from '../../../operations/listeners/end-listener.ts';
import { generateSecret } from '../../../outbound/signature.ts';
import { endpointSecretContext } from '../../../sealing/sealing-contexts.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { expiredListeners, insertListener, type Listener } from '../../../store/listeners/listeners.ts';
import { fenceEarlierEvents } from '../../../store/tenancy/endpoint-fences.ts';
import { insertEndpointSecret } from '../../../store/tenancy/endpoint-secrets.ts';
import { insertEndpointVersion } from '../../../store/tenancy/endpoint-versions.ts';
import { insertEndpoint } from '../../../store/tenancy/endpoints.ts';
import { changedConfig } from '../endpoints/endpoint-config.ts';
import { ANSWERED_WITHIN_MS, type NewListener } from './listener-schema.ts';

/**
 * Opens a listener with an endpoint of its own, or says why not. What fails there is not tried again by itself, and
 * changes nothing but its own delivery; events from before it are never matched to it.
 */
export async function openListener(
  deps: ApiDeps,
  tenantId: Id<'tenant'>,
  asked: z.output<typeof NewListener>,
  by: ActBy,
): Promise<{ listener: Listener; secret: string } | Problem> {
  const { pool, sealer, presets } = deps;
  // Places of those that nobody keeps are free at once.
  for (const expired of await expiredListeners(pool, LISTENERS_OF_TENANT, tenantId))
    await endListener(deps, expired, 'expired');
  const [id, endpointId] = [newId('listener'), newId('endpoint')];
  const { secret = generateSecret(), timeoutMs = ANSWERED_WITHIN_MS, ...matching } = asked;
  const config = changedConfig({ sealer, presets }, endpointId, {
    ...matching,
    ...{ url: listenerUrl(id), timeoutMs, retry: { maxAttempts: 1 }, giveUpAfterMs: LISTENER_LASTS_MS },
    ...{ protect: false, onRecovered: 'none', maxConcurrency: REQUESTS_AT_ONCE },
  });
  const listener = await withTransaction(pool, async (tx) => {
    await insertEndpoint(tx, tenantId, { id: endpointId, handle: `listener-${showId('listener', id)}` });
    const made = await insertListener(tx, { id, tenantId, endpointId });
    if (!made) throw new NoPlace();
    await insertEndpointVersion(tx, tenantId, endpointId, 1, config);
    await fenceEarlierEvents(tx, endpointId, undefined);
    await insertEndpointSecret(tx, endpointId, sealer.seal(secret, endpointSecretContext(endpointId)));
    await noteAct(tx, {
      tenantId,
      by,
      action: 'endpoint.made',
      target: endpointId,
      detail: { version: 1, members: namesOf(asked), listenerId: showId('listener', id) },
    });
    return made;
  }).catch((error: unknown) => {
    if (error instanceof NoPlace) return undefined;
    throw error;
  });
  return listener
    ? { listener, secret }
    : problem('state_conflict', {
        detail: `${LISTENERS_OF_TENANT} listeners of this tenant are open, and more are not allowed: end one of them by closing its connection.`,
      });
}

/** Undoes what was made for a listener that has no place. */
class NoPlace extends Error {}

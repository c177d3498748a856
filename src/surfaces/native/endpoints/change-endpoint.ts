import type { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Caller } from '../../../api/authentication/caller.ts';
import { isProblem, type Problem } from '../../../api/problems/problem.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import type { Endpoint, EndpointConfig } from '../../../domain/endpoints/endpoint.ts';
import { letsMoreGo } from '../../../domain/endpoints/new-order.ts';
import { movesDeliveries } from '../../../domain/endpoints/new-origin.ts';
import { listenerOf } from '../../../domain/listeners/listener.ts';
import { hasScope } from '../../../domain/tenancy/scope.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { wakeWorkAt } from '../../../operations/switch-endpoint.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { forgetProtection } from '../../../store/sending/endpoint-health.ts';
import { makePutOffDue } from '../../../store/sending/ordering.ts';
import { fenceEarlierEvents, liftFences } from '../../../store/tenancy/endpoint-fences.ts';
import { insertEndpointVersion } from '../../../store/tenancy/endpoint-versions.ts';
import { advanceVersion, findEndpoint, lockEndpoint } from '../../../store/tenancy/endpoints.ts';
import { refusedCertificates, refusedTrust } from './endpoint-certificates.ts';
import {
  changedConfig,
  refusedListener,
  refusedOrigin,
  refusedPreset,
  refusedProbeUrl,
  refusedProbing,
  refusedRetry,
  refusedUrl,
} from './endpoint-config.ts';
import type { EndpointChange } from './endpoint-schema.ts';

type Change = z.output<typeof EndpointChange>;

/**
 * Gives an endpoint its next version, or says why not; undefined where it is deleted, or not the tenant's. What waits at
 * it goes on at once where the change lets it.
 */
export async function changeEndpoint(
  deps: ApiDeps,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  change: Change,
  by: Caller,
): Promise<Endpoint | Problem | undefined> {
  const { pool, sealer, guard, presets } = deps;
  const refused =
    refusedPreset(presets, change) ??
    (change.url === undefined ? undefined : await refusedUrl(guard, change.url)) ??
    (await refusedProbeUrl(guard, change.probe));
  if (refused) return refused;
  const mayMove = hasScope(by.scopes, 'write:endpoints');
  const changed = await withTransaction(pool, async (tx) => {
    const version = await lockEndpoint(tx, tenantId, id);
    const before = version === undefined ? undefined : await findEndpoint(tx, tenantId, id);
    if (version === undefined || before === undefined) return undefined;
    if (listenerOf(before.config.url)) return refusedListener();
    const config = changedConfig({ sealer, presets }, id, change, before.config);
    const refusedChange = refusedConfig(before.config, config, change, mayMove);
    if (refusedChange) return refusedChange;
    if (mayMove && change.url !== undefined) await liftFences(tx, id);
    else if (!mayMove && movesDeliveries(before.config, config)) await fenceEarlierEvents(tx, id, version);
    await insertEndpointVersion(tx, tenantId, id, version + 1, config);
    if (!(await advanceVersion(tx, tenantId, id, version + 1)))
      throw new Error('an endpoint that is held was changed by somebody else');
    if (before.config.protect && !config.protect) await forgetProtection(tx, id);
    const moreGoes = letsMoreGo(before.config, config);
    if (moreGoes) await makePutOffDue(tx, tenantId, id);
    await noteAct(tx, {
      tenantId,
      by,
      action: 'endpoint.changed',
      target: id,
      detail: { version: version + 1, members: namesOf(change) },
    });
    const endpoint = await findEndpoint(tx, tenantId, id);
    return endpoint && { endpoint, moreGoes };
  });
  if (changed === undefined || isProblem(changed)) return changed;
  if (changed.moreGoes) await wakeWorkAt(deps, tenantId, id);
  return changed.endpoint;
}

/** Why the configuration that a change makes is refused. */
function refusedConfig(
  before: EndpointConfig,
  after: EndpointConfig,
  change: Change,
  mayMove: boolean,
): Problem | undefined {
  return (
    refusedProbing(after) ??
    (change.retry ? refusedRetry(after) : undefined) ??
    refusedCertificates(after) ??
    (mayMove ? undefined : (refusedOrigin(before, after, change) ?? refusedTrust(before, after, change)))
  );
}

import type { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import type { ActBy } from '../../../domain/audit/audit-action.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import type { Endpoint } from '../../../domain/endpoints/endpoint.ts';
import { type Id, newId } from '../../../domain/tenancy/typed-id.ts';
import { generateSecret } from '../../../outbound/signature.ts';
import { endpointSecretContext } from '../../../sealing/sealing-contexts.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { fenceEarlierEvents } from '../../../store/tenancy/endpoint-fences.ts';
import { insertEndpointSecret } from '../../../store/tenancy/endpoint-secrets.ts';
import { insertEndpointVersion } from '../../../store/tenancy/endpoint-versions.ts';
import { findEndpoint, insertEndpoint } from '../../../store/tenancy/endpoints.ts';
import { refusedCertificates } from './endpoint-certificates.ts';
import {
  changedConfig,
  refusedPreset,
  refusedProbeUrl,
  refusedProbing,
  refusedRetry,
  refusedUrl,
} from './endpoint-config.ts';
import type { NewEndpoint } from './endpoint-schema.ts';

/** Makes an endpoint with its first version and its secret, or says why not. */
export async function createEndpoint(
  { pool, sealer, guard, presets }: Pick<ApiDeps, 'pool' | 'sealer' | 'guard' | 'presets'>,
  tenantId: Id<'tenant'>,
  { handle, secret = generateSecret(), ...asked }: z.output<typeof NewEndpoint>,
  by: ActBy,
  /** Whether events that were accepted before it may be matched to it afresh. */
  { takesEarlier }: { takesEarlier: boolean } = { takesEarlier: true },
): Promise<{ endpoint: Endpoint; secret: string } | Problem> {
  const id = newId('endpoint');
  const config = changedConfig({ sealer, presets }, id, asked);
  const refused =
    refusedPreset(presets, asked) ??
    refusedProbing(config) ??
    refusedRetry(config) ??
    refusedCertificates(config) ??
    (await refusedUrl(guard, asked.url)) ??
    (await refusedProbeUrl(guard, asked.probe));
  if (refused) return refused;
  const endpoint = await withTransaction(pool, async (db) => {
    if (!(await insertEndpoint(db, tenantId, { id, handle: handle ?? handleFor(asked.url, id) })))
      return undefined;
    await insertEndpointVersion(db, tenantId, id, 1, config);
    if (!takesEarlier) await fenceEarlierEvents(db, id, undefined);
    await insertEndpointSecret(db, id, sealer.seal(secret, endpointSecretContext(id)));
    await noteAct(db, {
      tenantId,
      by,
      action: 'endpoint.made',
      target: id,
      detail: { version: 1, members: namesOf(asked) },
    });
    return findEndpoint(db, tenantId, id);
  });
  return endpoint
    ? { endpoint, secret }
    : problem('handle_taken', {
        errors: [{ pointer: '#/handle', code: 'taken', message: 'This handle is taken.' }],
      });
}

/** A readable handle where none was given: the host, and enough of the id to tell two endpoints of one host apart. */
function handleFor(url: string, id: string): string {
  const host = new URL(url).hostname.replace(/[^a-zA-Z0-9.-]/g, '').slice(0, 60);
  return `${host}-${id.slice(-12)}`;
}

import { setTimeout as delay } from 'node:timers/promises';
import type { ActBy } from '../domain/audit/audit-action.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';
import { ITSELF } from '../store/operations/operation-controls.ts';
import { databaseTime, isClaimedBy, isClaiming, tokensAt } from '../store/sending/claims.ts';
import { expireEndpointSecrets, insertEndpointSecret } from '../store/tenancy/endpoint-secrets.ts';
import { lockEndpoint } from '../store/tenancy/endpoints.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** Within this time a claimed item is on the wire, or is given back. */
const ON_THE_WIRE_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 20;

/**
 * Gives an endpoint a new signing secret and lets the old ones run out; undefined where there is no such endpoint.
 * Every claim from the commit on sees the change. Items that were claimed before and are not on the wire yet would
 * still be signed as before: they are waited for, so that from the answer on no request begins that only an old secret
 * signs.
 */
export async function rotateSecret(
  { pool }: Pick<RecoveryDeps, 'pool'>,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
  { sealed, oldValidForMs }: { sealed: Buffer; oldValidForMs: number },
  by: ActBy = { actor: ITSELF },
): Promise<{ oldValidUntil?: Date } | undefined> {
  const rotated = await withTransaction(pool, async (db) => {
    if ((await lockEndpoint(db, tenantId, endpointId)) === undefined) return undefined;
    const until = await expireEndpointSecrets(db, endpointId, oldValidForMs);
    await insertEndpointSecret(db, endpointId, sealed);
    await noteAct(db, {
      tenantId,
      by,
      action: 'endpoint.secret_rotated',
      target: endpointId,
      detail: { oldValidForMs },
    });
    return until ? { oldValidUntil: until } : {};
  });
  if (!rotated) return undefined;
  await claimedBefore(pool, endpointId);
  return rotated;
}

/** Resolves when no item claimed before now at an endpoint is still to be sent; in time, whatever receivers do. */
async function claimedBefore(pool: Pool, endpointId: Id<'endpoint'>): Promise<void> {
  const endMs = performance.now() + ON_THE_WIRE_WITHIN_MS;
  const waitWhile = async (condition: () => Promise<boolean>) => {
    while (performance.now() < endMs && (await condition())) await delay(LOOK_EVERY_MS);
  };
  const now = await databaseTime(pool);
  await waitWhile(() => isClaiming(pool, now));
  const before = await tokensAt(pool, endpointId);
  await waitWhile(() => isClaimedBy(pool, endpointId, before));
}

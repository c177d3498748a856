import { noteAct } from '../store/audit/entries.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';
import { installAdminKey } from '../store/tenancy/api-keys.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';

/** Makes this the one admin key of the installation; where it was not, that is an act of whoever starts the service. */
export function replaceAdminKey(pool: Pool, hash: Buffer): Promise<void> {
  return withTransaction(pool, async (tx) => {
    const made = await installAdminKey(tx, hash);
    if (made)
      await noteAct(tx, {
        tenantId: PLATFORM_TENANT.id,
        by: { actor: 'installation' },
        action: 'key.made',
        target: made.id,
        detail: { scopes: ['admin'], revoked: made.revoked },
      });
  });
}

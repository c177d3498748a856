import { noteAct } from '../store/audit/entries.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';
import { installAdminKeys } from '../store/tenancy/api-keys.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';

/**
 * Makes these the admin keys of the installation, and those that were and are not named work no more: both are acts of
 * whoever starts the service.
 */
export function replaceAdminKeys(pool: Pool, hashes: readonly Buffer[]): Promise<void> {
  return withTransaction(pool, async (tx) => {
    const { made, revoked } = await installAdminKeys(tx, hashes);
    const act = { tenantId: PLATFORM_TENANT.id, by: { actor: 'installation' } };
    for (const target of made)
      await noteAct(tx, {
        ...act,
        action: 'key.made',
        target,
        detail: { scopes: ['admin'], revoked: revoked.length },
      });
    if (made.length === 0)
      for (const target of revoked) await noteAct(tx, { ...act, action: 'key.revoked', target });
  });
}

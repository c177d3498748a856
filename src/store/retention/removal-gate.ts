import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

/*
 * Selections and removals of one tenant keep out of each other's way: a page that is being selected must not find that the
 * deliveries it read are gone when it writes what becomes of them. Rows are not locked for that, which would cost each item
 * of each operation a write.
 */

const KEY = `hashtextextended('removal ' || u.id::text, 4402)`;

/** Keeps removals of a tenant away until the transaction ends; any number of selections do so at a time. */
export async function keepFromRemoval(tx: Transaction, tenantId: Id<'tenant'>): Promise<void> {
  await tx.query({
    name: 'keep-from-removal',
    text: `select pg_advisory_xact_lock_shared(${KEY}) from (select $1::uuid as id) u`,
    values: [tenantId],
  });
}

/**
 * Keeps selections of a tenant, and those of the platform, waiting until the transaction ends, which is to be soon. It waits
 * for those at work as long as the transaction's `lock_timeout` says.
 */
export async function closeToSelection(tx: Transaction, tenantId: Id<'tenant'>): Promise<void> {
  await tx.query(
    `select pg_advisory_xact_lock(${KEY}) from unnest(array[$1::uuid, '${PLATFORM_TENANT.id}'::uuid]) as u(id)`,
    [tenantId],
  );
}

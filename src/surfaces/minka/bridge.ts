import type { TenantRef } from '../../api/authentication/caller.ts';
import { readId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { readBridgeAddress } from './bridge-address.ts';
import { type LedgerError, ledgerErrors } from './ledger-error.ts';
import { type Bridge, findBridge } from './store/bridges.ts';

/** The bridge of the ledger that a path names by luid or address; the parent of an address must be this ledger. */
export async function bridgeNamed(
  db: Queryable,
  tenant: TenantRef,
  name: string,
): Promise<Bridge | LedgerError> {
  const address = readBridgeAddress(name);
  if (!address) return ledgerErrors.notFound('Bridge');
  if ('parent' in address && address.parent !== undefined && !isLedger(tenant, address.parent))
    return ledgerErrors.notFound('Bridge');
  const bridge = await findBridge(
    db,
    tenant.id,
    'luid' in address ? { luid: address.luid } : { handle: address.handle },
  );
  return bridge ?? ledgerErrors.notFound('Bridge');
}

function isLedger(tenant: TenantRef, name: string): boolean {
  return tenant.handle === name || tenant.id === readId('tenant', name);
}

import type { Queryable } from '../../../store/db/queryable.ts';

/** An endpoint under the names that the Minka surface has for it. */
export interface Bridge {
  id: string;
  handle: string;
  luid: string;
}

/** A tenant's bridge that is not deleted, by its luid or its handle. */
export async function findBridge(
  db: Queryable,
  tenantId: string,
  by: { luid: string } | { handle: string },
): Promise<Bridge | undefined> {
  const { rows } = await db.query(
    `select id, handle, luid from endpoints
     where tenant_id = $1 and ${'luid' in by ? 'luid' : 'handle'} = $2 and state <> 'deleted'`,
    [tenantId, 'luid' in by ? by.luid : by.handle],
  );
  return rows[0];
}

/** Whether a delivery of the tenant is one of this bridge. */
export async function isOfBridge(
  db: Queryable,
  tenantId: string,
  bridgeId: string,
  deliveryId: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from deliveries where tenant_id = $1 and endpoint_id = $2 and id = $3',
    [tenantId, bridgeId, deliveryId],
  );
  return rowCount === 1;
}

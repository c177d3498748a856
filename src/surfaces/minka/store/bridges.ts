import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { isCurrent } from '../../../store/tenancy/endpoint-versions.ts';

/** An endpoint under the names that the Minka surface has for it. */
export interface Bridge {
  id: Id<'endpoint'>;
  handle: string;
  luid: string;
  enabled: boolean;
  /** Where it sends to now. */
  url: string;
  createdAt: Date;
  updatedAt: Date;
}

type BridgeRow = {
  id: Id<'endpoint'>;
  handle: string;
  luid: string;
  enabled: boolean;
  url: string;
  created_at: Date;
  updated_at: Date;
};

/** A tenant's bridge that is not deleted, by its luid or its handle. */
export async function findBridge(
  db: Queryable,
  tenantId: Id<'tenant'>,
  by: { luid: string } | { handle: string },
): Promise<Bridge | undefined> {
  const { rows } = await db.query<BridgeRow>(
    `select n.id, n.handle, n.luid, n.state = 'enabled' as enabled, v.url, n.created_at, n.updated_at
     from endpoints n join endpoint_versions v on ${isCurrent('v', 'n')}
     where n.tenant_id = $1 and n.${'luid' in by ? 'luid' : 'handle'} = $2 and n.state <> 'deleted'`,
    [tenantId, 'luid' in by ? by.luid : by.handle],
  );
  const [row] = rows;
  if (!row) return undefined;
  const { created_at: createdAt, updated_at: updatedAt, ...bridge } = row;
  return { ...bridge, createdAt, updatedAt };
}

/** Whether a delivery of the tenant is one of this bridge. */
export async function isOfBridge(
  db: Queryable,
  tenantId: Id<'tenant'>,
  bridgeId: Id<'endpoint'>,
  deliveryId: Id<'delivery'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from deliveries where tenant_id = $1 and endpoint_id = $2 and id = $3',
    [tenantId, bridgeId, deliveryId],
  );
  return rowCount === 1;
}

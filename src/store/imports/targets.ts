import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** The states of endpoints of a tenant. */
export async function endpointStates(
  db: Queryable,
  tenantId: Id<'tenant'>,
  ids: readonly Id<'endpoint'>[],
): Promise<Map<Id<'endpoint'>, EndpointState>> {
  const { rows } = await db.query<{ id: Id<'endpoint'>; state: EndpointState }>(
    'select id, state from endpoints where tenant_id = $1 and id = any($2::uuid[])',
    [tenantId, ids],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}

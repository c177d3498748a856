import { LIVE_LANE } from '../db/queryable.ts';

/**
 * SQL: who may have work at an endpoint of these tenants: the live lane, and the operations that are open, or those of them
 * that run.
 */
export function queueOwners(tenantIds: string, { running = false }: { running?: boolean } = {}): string {
  return `(select '${LIVE_LANE}'::uuid as id
      union all select o.id from operations o where o.closed_at is null
        ${running ? "and o.control = 'run'" : ''} and o.tenant_id = any(${tenantIds}::uuid[]))`;
}

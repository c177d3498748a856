import { COUNTED_PARTS, type OperationCounts } from '../../domain/operations/operation-counts.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { itemsOf } from './items-of.ts';

/**
 * The change of each part of an operation's counts since it closed: by acknowledgements, status requests,
 * resolutions, and the requests that a resolution asked for. Counted from its items, so that nothing has to be kept up to date.
 */
export async function addendumTo(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  closed: OperationCounts,
): Promise<Partial<Record<string, number>>> {
  const { rows } = await db.query<{ state: ExecutionState; items: number }>(
    `select state, count(*)::int as items from ${itemsOf('$1')} e
     where exists (select from operations o where o.id = $1 and o.tenant_id = $2) group by state`,
    [operationId, tenantId],
  );
  const now = new Map<string, number>(rows.map((row) => [row.state, row.items]));
  return Object.fromEntries(
    COUNTED_PARTS.filter((part) => part !== 'excluded')
      .map((part) => [part, (now.get(part) ?? 0) - closed[part]] as const)
      .filter(([, change]) => change !== 0),
  );
}

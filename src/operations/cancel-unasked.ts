import type { Id } from '../domain/tenancy/typed-id.ts';
import { noteAct, tenantsWithOperation } from '../store/audit/entries.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { cancelExpired, cancelFromOutside } from '../store/operations/operation-states.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';
import type { Log } from '../telemetry/log.ts';
import { logControl } from './operation-log.ts';

type Deps = { pool: Pool; log: Log };

/** Cancels an operation whose time to wait for a human has passed; false where it has not. */
export function cancelWhenExpired(deps: Deps, operationId: Id<'operation'>): Promise<boolean> {
  return cancelBy(deps, operationId, cancelExpired, ITSELF);
}

/** Cancels an operation whose workflow was cancelled in Temporal; false where it was cancelled or had ended before. */
export function cancelAsInTemporal(deps: Deps, operationId: Id<'operation'>): Promise<boolean> {
  return cancelBy(deps, operationId, cancelFromOutside, 'temporal');
}

async function cancelBy(
  { pool, log }: Deps,
  operationId: Id<'operation'>,
  cancel: typeof cancelExpired,
  actor: string,
): Promise<boolean> {
  const cancelled = await withTransaction(pool, async (db) => {
    if (!(await cancel(db, operationId))) return undefined;
    await noteControl(db, operationId, { did: 'cancel', actor });
    const operation = await loadOperation(db, operationId);
    // Somebody did it in Temporal, who is not known here; Redrive's own acts are no one's.
    if (operation && actor !== ITSELF)
      await noteAct(db, {
        tenantId: operation.tenantId,
        by: { actor },
        action: 'operation.cancelled',
        target: operationId,
        ...(operation.tenantId === PLATFORM_TENANT.id
          ? { spans: await tenantsWithOperation(db, operation) }
          : {}),
      });
    return operation;
  });
  if (cancelled) logControl(log, cancelled, { did: 'cancel' }, { actor });
  return cancelled !== undefined;
}

import type { Pool } from 'pg';
import { withTransaction } from '../store/db/pool.ts';
import { ITSELF, noteControl } from '../store/operations/operation-controls.ts';
import { cancelExpired, cancelFromOutside } from '../store/operations/operation-progress.ts';
import { loadOperation } from '../store/operations/operations.ts';
import type { Log } from '../telemetry/log.ts';
import { logControl } from './operation-log.ts';

type Deps = { pool: Pool; log: Log };

/** Cancels an operation whose time to wait for a human has passed; false where it has not. */
export function cancelWhenExpired(deps: Deps, operationId: string): Promise<boolean> {
  return cancelBy(deps, operationId, cancelExpired, ITSELF);
}

/** Cancels an operation whose workflow was cancelled in Temporal; false where it was cancelled or had ended before. */
export function cancelAsInTemporal(deps: Deps, operationId: string): Promise<boolean> {
  return cancelBy(deps, operationId, cancelFromOutside, 'temporal');
}

async function cancelBy(
  { pool, log }: Deps,
  operationId: string,
  cancel: typeof cancelExpired,
  actor: string,
): Promise<boolean> {
  const cancelled = await withTransaction(pool, async (db) => {
    if (!(await cancel(db, operationId))) return undefined;
    await noteControl(db, operationId, { did: 'cancel', actor });
    return loadOperation(db, operationId);
  });
  if (cancelled) logControl(log, cancelled, { did: 'cancel' }, { actor });
  return cancelled !== undefined;
}

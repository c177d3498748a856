import type { ActBy } from '../domain/audit/audit-action.ts';
import type { EndpointState } from '../domain/endpoints/endpoint-state.ts';
import { OUTAGE_RULES } from '../domain/outages/outage-rules.ts';
import type { OutageChange } from '../domain/outages/outage-state.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { withTransaction } from '../store/db/pool.ts';
import { beginCanariesAgain } from '../store/operations/canaries.ts';
import { ITSELF } from '../store/operations/operation-controls.ts';
import { forgetRecovery, noteEnabled, openOutage } from '../store/outages/outage-states.ts';
import {
  handBackWaiting,
  itemsWaitingAt,
  type WaitingItems,
  wakeOperationsAt,
} from '../store/sending/disabled-endpoints.ts';
import { liftAll, makeRetryAftersDue } from '../store/sending/endpoint-health.ts';
import { setEndpointState } from '../store/tenancy/endpoints.ts';
import { logOutage } from '../telemetry/outage-log.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** So many operations are nudged side by side. */
const NUDGED_SIDE_BY_SIDE = 10;
/** So many are nudged before the answer; the sweeper nudges the others. */
const NUDGED_AT_ONCE = 100;

/**
 * Enables an endpoint and lifts all that is held against it; items that wait for it go on at once. False where it is
 * deleted, or not the tenant's.
 */
export async function enableEndpoint(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  by: ActBy = { actor: ITSELF },
): Promise<boolean> {
  const enabled = await withTransaction(deps.pool, async (db) => {
    if (!(await setEndpointState(db, tenantId, id, 'enabled'))) return false;
    await liftAll(db, id);
    await noteEnabled(db, id);
    await makeRetryAftersDue(db, tenantId, id);
    await handBackWaiting(db, tenantId, id);
    await beginCanariesAgain(db, id);
    await noteAct(db, { tenantId, by, action: 'endpoint.enabled', target: id });
    return true;
  });
  if (!enabled) return false;
  await wakeWorkAt(deps, tenantId, id);
  return true;
}

/**
 * Disables an endpoint. Items that operations have queued or scheduled there wait for it to be enabled, as long as the
 * patience of each operation lasts. Returns how many items of which operations wait; undefined where it is deleted, or
 * not the tenant's.
 */
export async function disableEndpoint(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  by: ActBy = { actor: ITSELF },
): Promise<WaitingItems[] | undefined> {
  let opened: OutageChange | undefined;
  const disabled = await withTransaction(deps.pool, async (db) => {
    if (!(await setEndpointState(db, tenantId, id, 'disabled'))) return false;
    opened = await openOutage(db, id, 'disabled', OUTAGE_RULES);
    await forgetRecovery(db, id);
    await noteAct(db, { tenantId, by, action: 'endpoint.disabled', target: id });
    return true;
  });
  if (!disabled) return undefined;
  if (opened) logOutage(deps.log, opened);
  await wakeWorkAt(deps, tenantId, id);
  return itemsWaitingAt(deps.pool, tenantId, id);
}

/**
 * Deletes an endpoint that is in one of `from`; unsent executions there are ignored. False where it is in none, or not
 * the tenant's.
 */
export async function deleteEndpoint(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  id: Id<'endpoint'>,
  from: readonly EndpointState[],
  by: ActBy = { actor: ITSELF },
): Promise<boolean> {
  const deleted = await withTransaction(deps.pool, async (db) => {
    if (!(await setEndpointState(db, tenantId, id, 'deleted', from))) return false;
    await noteAct(db, { tenantId, by, action: 'endpoint.deleted', target: id });
    return true;
  });
  if (!deleted) return false;
  await wakeWorkAt(deps, tenantId, id);
  return true;
}

/**
 * Has the live lanes, and the operations with unsent items there, look again; those that waited for a time have another
 * one now.
 */
export async function wakeWorkAt(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  endpointId: Id<'endpoint'>,
): Promise<void> {
  deps.pokeLiveLane();
  const woken = (await wakeOperationsAt(deps.pool, tenantId, endpointId)).slice(0, NUDGED_AT_ONCE);
  await Promise.all(
    Array.from({ length: NUDGED_SIDE_BY_SIDE }, async () => {
      for (let next = woken.pop(); next !== undefined; next = woken.pop()) await deps.nudgeOperation(next);
    }),
  );
}

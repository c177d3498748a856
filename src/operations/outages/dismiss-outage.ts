import type { ActBy } from '../../domain/audit/audit-action.ts';
import type { OutageState } from '../../domain/outages/outage-state.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { endOutage, holdPace } from '../../store/outages/outage-states.ts';
import { findOutage, type Outage } from '../../store/outages/outages.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { cancelWaiting } from './plan-window.ts';

/** The outage that is dismissed now, or was before; or why it is not. */
export type DismissResult =
  | { ok: true; outage: Outage }
  | { ok: false; code: 'not_found' }
  | { ok: false; code: 'state_conflict'; state: OutageState };

/**
 * Dismisses an outage: nothing more follows from it, and a plan that its recovery has led to and that nobody has executed
 * is cancelled. Its deliveries stay as they are, and can be selected by it on.
 */
export async function dismissOutage(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  id: Id<'outage'>,
  { reason, ...by }: ActBy & { reason?: string | undefined },
): Promise<DismissResult> {
  const found = await findOutage(deps.pool, tenantId, id);
  if (!found) return { ok: false, code: 'not_found' };
  const dismissed = await withTransaction(deps.pool, async (tx) => {
    await holdPace(tx, found.endpointId);
    if (!(await endOutage(tx, id, 'dismissed'))) return undefined;
    await noteAct(tx, {
      tenantId,
      by,
      action: 'outage.dismissed',
      target: id,
      detail: { cause: found.cause, state: found.state },
      words: present({ reason }),
    });
    return cancelWaiting(tx, found);
  });
  for (const operation of dismissed ?? []) await deps.nudgeOperation(operation);
  const outage = await findOutage(deps.pool, tenantId, id);
  if (!outage) return { ok: false, code: 'not_found' };
  return outage.state === 'dismissed'
    ? { ok: true, outage }
    : { ok: false, code: 'state_conflict', state: outage.state };
}

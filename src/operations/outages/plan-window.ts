import type { Operation } from '../../domain/operations/operation.ts';
import type { OutageRules } from '../../domain/outages/outage-rules.ts';
import { showId } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { ITSELF } from '../../store/operations/operation-controls.ts';
import { linkOperation, waitingMadePlans } from '../../store/outages/outage-operations.ts';
import { type Outage, selectionOfOutage } from '../../store/outages/outages.ts';
import { findEndpoint } from '../../store/tenancy/endpoints.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';
import { acceptWithin } from '../accept-operation.ts';
import { cancelWithin } from '../control-operation.ts';

/** Who plans where nobody asks. */
export const BY_ITSELF = { actor: ITSELF } as const;

/**
 * Plans a retry of what an outage left, in the transaction of what leads to it; a plan that an earlier recovery of it has
 * led to, and that nobody has executed, is cancelled. Returns the plan's operation, which {@link beginAccepted} begins, and
 * the cancelled ones, which are nudged.
 */
export async function planWindow(
  tx: Transaction,
  outage: Outage,
  { canary, ramp, triedForMs }: Pick<OutageRules, 'canary' | 'ramp' | 'triedForMs'>,
  { runs }: { runs: boolean },
): Promise<{ planned?: Operation; cancelled: Operation[] }> {
  const cancelled = await cancelWaiting(tx, outage);
  const tenant = await findTenant(tx, { id: outage.tenantId });
  const endpoint = await findEndpoint(tx, outage.tenantId, outage.endpointId);
  if (!tenant || !endpoint) return { cancelled };
  const accepted = await acceptWithin(tx, {
    tenant,
    surface: 'native',
    kind: 'retry',
    target: 'current',
    selection: selectionOfOutage(outage),
    options: { canary, ramp, giveUpAfterMs: Math.max(triedForMs, endpoint.config.giveUpAfterMs) },
    reason: `recovery from ${showId('outage', outage.id)}`,
    plan: 'plan',
    caller: BY_ITSELF,
    render: () => ({}),
  });
  if (!accepted.ok || !accepted.operation) return { cancelled };
  await linkOperation(tx, outage.id, accepted.operationId, { made: true, runs });
  return { planned: accepted.operation, cancelled };
}

/** Cancels the plans that recoveries of an outage have led to and that nobody has executed. */
export async function cancelWaiting(tx: Transaction, { id, tenantId }: Outage): Promise<Operation[]> {
  const cancelled: Operation[] = [];
  for (const operationId of await waitingMadePlans(tx, id)) {
    const operation = await cancelWithin(tx, tenantId, operationId, BY_ITSELF);
    if (operation) cancelled.push(operation);
  }
  return cancelled;
}

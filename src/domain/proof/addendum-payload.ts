import type { ExecutionState } from '../sending/execution-state.ts';
import { type Id, showId } from '../tenancy/typed-id.ts';

/** An item that changed after its report, since it was last told. */
export interface LateChange {
  executionId: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  /** The one that was sent in its place, under a new identity. */
  newDeliveryId?: Id<'delivery'>;
  from: ExecutionState;
  to: ExecutionState;
  at: Date;
}

/** Everything that a signed addendum says. */
export interface AddendumFacts {
  installation: string;
  tenantId: Id<'tenant'>;
  operationId: Id<'operation'>;
  /** Digest of the payload of the report that it amends, in hexadecimal. */
  reportDigest: string;
  /** 1 for the first one to this report; none is left out. */
  number: number;
  changes: readonly LateChange[];
  signedAt: Date;
  version: string;
}

/** The name of the form of this payload, in the header of its signature. */
export const ADDENDUM_TYPE = 'redrive-addendum+json';

/** The payload of a signed addendum: the items that were settled since the report, or since the addendum before it. */
export function addendumPayload(facts: AddendumFacts) {
  return {
    v: 1,
    installation: facts.installation,
    tenant: showId('tenant', facts.tenantId),
    operation: showId('operation', facts.operationId),
    report: facts.reportDigest,
    number: facts.number,
    counts: changeOfCounts(facts.changes),
    items: facts.changes.map(({ executionId, deliveryId, newDeliveryId, from, to, at }) => ({
      executionId: showId('execution', executionId),
      deliveryId: showId('delivery', deliveryId),
      ...(newDeliveryId ? { newDeliveryId: showId('delivery', newDeliveryId) } : {}),
      from,
      to,
      at: at.toISOString(),
    })),
    signedAt: facts.signedAt.toISOString(),
    version: facts.version,
  };
}

function changeOfCounts(changes: AddendumFacts['changes']): Partial<Record<ExecutionState, number>> {
  const counts: Partial<Record<ExecutionState, number>> = {};
  for (const { from, to } of changes) {
    counts[from] = (counts[from] ?? 0) - 1;
    counts[to] = (counts[to] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, change]) => change !== 0));
}

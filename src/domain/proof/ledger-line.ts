import { canonicalJson } from '../json/canonical-json.ts';
import type { OperationItem } from '../operations/operation-item.ts';
import { retryWords } from '../operations/retry-words.ts';
import { showId } from '../tenancy/typed-id.ts';

/** Shows a line of an operation's ledger; in a closed one nothing waits. */
export function ledgerLine(item: OperationItem) {
  return item.kind === 'item' ? itemLine(item) : exclusionLine(item);
}

/** The text of a line of a closed ledger, without its newline: the leaf of the tree that its report names. */
export function ledgerLeaf(item: OperationItem): string {
  return item.kind === 'item' ? JSON.stringify(itemLine(item)) : canonicalJson(exclusionLine(item));
}

type Item<Kind> = Extract<OperationItem, { kind: Kind }>;

/**
 * Its members stand in the order of canonical JSON, so that it is written as it is: to sort those of millions of lines takes
 * longer than all else about them.
 */
function itemLine(item: Item<'item'>) {
  return {
    attempts: item.attempts,
    deliveryId: showId('delivery', item.deliveryId),
    dueAt: item.dueAt.toISOString(),
    endpointId: showId('endpoint', item.endpointId),
    eventId: showId('event', item.eventId),
    eventType: item.eventType,
    executionId: showId('execution', item.executionId),
    externalId: item.externalId ?? null,
    faultCode: item.faultCode ?? null,
    finishedAt: item.finishedAt?.toISOString() ?? null,
    httpStatus: item.httpStatus ?? null,
    key: item.key ?? null,
    kind: 'item' as const,
    mayHaveArrived: item.mayHaveArrived,
    ...(item.newDeliveryId ? { newDeliveryId: showId('delivery', item.newDeliveryId) } : {}),
    reason: item.reason ?? null,
    state: item.state,
    supersededBy: item.supersededBy ? showId('execution', item.supersededBy) : null,
    tookOver: item.tookOver ? showId('execution', item.tookOver) : null,
    waitingFor: [],
  };
}

function exclusionLine(item: Item<'exclusion'>) {
  return {
    kind: 'exclusion' as const,
    deliveryId: showId('delivery', item.deliveryId),
    endpointId: showId('endpoint', item.endpointId),
    eventId: showId('event', item.eventId),
    externalId: item.externalId ?? null,
    eventType: item.eventType,
    key: item.key ?? null,
    ...shownReason(item),
    joinedExecutionId: item.joinedExecutionId ? showId('execution', item.joinedExecutionId) : null,
    resentBy: item.resentBy ? showId('delivery', item.resentBy) : null,
    heldBy: item.heldBy ? showId('operation', item.heldBy) : null,
    createdAt: item.createdAt.toISOString(),
  };
}

/** Where a line stands in the order of its ledger: items in the order of their ids, then exclusions by delivery. */
export function positionOf(item: OperationItem): string {
  return item.kind === 'item' ? `i:${item.executionId}` : `x:${item.deliveryId}`;
}

type Excluded = Pick<Item<'exclusion'>, 'reason' | 'deliveryId' | 'endpointId' | 'heldBy' | 'resentBy'>;

/** Shows why a delivery was not run, and the next call. */
export function shownReason({ reason, deliveryId, endpointId, heldBy, resentBy }: Excluded) {
  const ids = {
    deliveryId: showId('delivery', deliveryId),
    endpointId: showId('endpoint', endpointId),
    ...(heldBy === undefined ? {} : { heldBy: showId('operation', heldBy) }),
    ...(resentBy === undefined ? {} : { resentBy: showId('delivery', resentBy) }),
  };
  return { reason, ...retryWords(reason, ids) };
}

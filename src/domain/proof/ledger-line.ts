import { canonicalJson } from '../json/canonical-json.ts';
import type { OperationItem } from '../operations/operation-item.ts';
import { retryWords } from '../operations/retry-words.ts';
import { showId } from '../tenancy/typed-id.ts';

/** Shows a line of an operation's ledger; in a closed one nothing waits. */
export function ledgerLine(item: OperationItem) {
  const common = {
    deliveryId: showId('delivery', item.deliveryId),
    endpointId: showId('endpoint', item.endpointId),
    eventId: showId('event', item.eventId),
    externalId: item.externalId ?? null,
    eventType: item.eventType,
    key: item.key ?? null,
  };
  if (item.kind === 'exclusion')
    return {
      kind: 'exclusion' as const,
      ...common,
      ...shownReason(item),
      joinedExecutionId: item.joinedExecutionId ? showId('execution', item.joinedExecutionId) : null,
      resentBy: item.resentBy ? showId('delivery', item.resentBy) : null,
      heldBy: item.heldBy ? showId('operation', item.heldBy) : null,
      createdAt: item.createdAt.toISOString(),
    };
  return {
    kind: 'item' as const,
    executionId: showId('execution', item.executionId),
    ...common,
    ...(item.newDeliveryId ? { newDeliveryId: showId('delivery', item.newDeliveryId) } : {}),
    state: item.state,
    reason: item.reason ?? null,
    attempts: item.attempts,
    dueAt: item.dueAt.toISOString(),
    mayHaveArrived: item.mayHaveArrived,
    faultCode: item.faultCode ?? null,
    httpStatus: item.httpStatus ?? null,
    tookOver: item.tookOver ? showId('execution', item.tookOver) : null,
    supersededBy: item.supersededBy ? showId('execution', item.supersededBy) : null,
    finishedAt: item.finishedAt?.toISOString() ?? null,
    waitingFor: [],
  };
}

/** The text of a line of a closed ledger, without its newline: the leaf of the tree that its report names. */
export function ledgerLeaf(item: OperationItem): string {
  return canonicalJson(ledgerLine(item));
}

/** Where a line stands in the order of its ledger: items in the order of their ids, then exclusions by delivery. */
export function positionOf(item: OperationItem): string {
  return item.kind === 'item' ? `i:${item.executionId}` : `x:${item.deliveryId}`;
}

type Excluded = Pick<
  Extract<OperationItem, { kind: 'exclusion' }>,
  'reason' | 'deliveryId' | 'endpointId' | 'heldBy' | 'resentBy'
>;

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

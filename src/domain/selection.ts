import type { DeliveryState } from './delivery-state.ts';

/** A filter over deliveries: members join by AND, the entries of an array by OR, an empty array matches nothing. */
export interface DeliveryFilter {
  state?: DeliveryState[];
  endpointIds?: string[];
  eventTypes?: string[];
  sources?: string[];
  faultCodes?: string[];
  httpStatus?: number[];
  ingestionBatchIds?: string[];
  dispatchBatchIds?: string[];
  key?: string;
  /** Acceptance of the event. Each bound is open or closed by itself: the surfaces differ. */
  from?: TimeBound;
  to?: TimeBound;
  lastAttemptBefore?: TimeBound;
  lastAttemptAfter?: TimeBound;
  /** Only deliveries whose newest execution has been open for longer. */
  pendingLongerThanMs?: number;
}

/** An instant (ISO 8601, UTC) and whether it belongs to the range. */
export interface TimeBound {
  at: string;
  inclusive: boolean;
}

/** What an operation selects. Ids are uuids. */
export type Selection =
  | { deliveryIds: string[] }
  | { eventIds: string[] }
  | { executionIds: string[] }
  | { failuresOf: string }
  | { filter: DeliveryFilter };

/** The most ids that an explicit list may name; such a list is resolved before the answer. */
export const MAX_EXPLICIT_IDS = 1_000;

/** Whether the selection names its items and so is resolved when the operation is accepted. */
export function isExplicit(
  selection: Selection,
): selection is { deliveryIds: string[] } | { eventIds: string[] } | { executionIds: string[] } {
  return 'deliveryIds' in selection || 'eventIds' in selection || 'executionIds' in selection;
}

/** Whether the selection names exactly one thing: the single retry that one asks for by hand. */
export function isSingle(selection: Selection): boolean {
  return isExplicit(selection) && new Set(Object.values(selection).flat()).size === 1;
}

/** Why something that was selected did not become an item. */
export const EXCLUSION_REASONS = [
  'coalesced',
  'already_delivered',
  'changed_since',
  'held',
  'suppressed_duplicate',
  'payload_expired',
] as const;

/** Reason of an exclusion. */
export type ExclusionReason = (typeof EXCLUSION_REASONS)[number];

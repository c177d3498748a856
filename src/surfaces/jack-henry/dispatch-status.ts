import { z } from 'zod';
import { DELIVERY_STATES, type DeliveryState } from '../../domain/sending/delivery-state.ts';

const DISPATCH_STATUSES = ['succeeded', 'failed', 'pending'] as const;

/** The outcome of an event at a subscription. */
export type DispatchStatus = (typeof DISPATCH_STATUSES)[number];

/** A status in a request or an answer. */
export const DispatchStatusField = z
  .enum(DISPATCH_STATUSES)
  .meta({ description: 'The outcome of the event at the subscription.', example: 'failed' });

/**
 * The status of a delivery. Every end but success is a failure, so that no delivery is out of the reach of a retry:
 * those that were ignored or cancelled unsent are failures, too. An unknown outcome is still open.
 */
export function dispatchStatus(state: DeliveryState): DispatchStatus {
  switch (state) {
    case 'delivered':
      return 'succeeded';
    case 'pending':
    case 'unknown':
      return 'pending';
    case 'failed':
    case 'cancelled':
    case 'ignored':
      return 'failed';
  }
}

/** The states that have one of these statuses. */
export function statesOf(statuses: readonly DispatchStatus[]): DeliveryState[] {
  return DELIVERY_STATES.filter((state) => statuses.includes(dispatchStatus(state)));
}

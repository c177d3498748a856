import { z } from 'zod';
import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import { DELIVERY_STATES, type DeliveryState } from '../../domain/sending/delivery-state.ts';

const DISPATCH_STATUSES = ['succeeded', 'failed', 'pending'] as const;

/** The outcome of an event at a subscription. */
export type DispatchStatus = (typeof DISPATCH_STATUSES)[number];

/** A status in a request or an answer. */
export const DispatchStatusField = z
  .enum(DISPATCH_STATUSES)
  .meta({ description: 'The outcome of the event at the subscription.', example: 'failed' });

/**
 * The status of a delivery, which is pending while an execution of it is open, whatever came before: one that failed and
 * waits for its retry, too. Every end but success is a failure, so that no delivery is out of the reach of a retry: those
 * that were ignored or cancelled unsent are failures, too.
 */
export function dispatchStatus({ state, open }: { state: DeliveryState; open: boolean }): DispatchStatus {
  if (state === 'delivered') return 'succeeded';
  return open ? 'pending' : 'failed';
}

/** The filter of the deliveries that have one of these statuses. */
export function withStatus(
  statuses: readonly DispatchStatus[],
): { state: DeliveryState[] } & Pick<DeliveryFilter, 'undeliveredOpen'> {
  const [pending, failed] = [statuses.includes('pending'), statuses.includes('failed')];
  return {
    state: DELIVERY_STATES.filter((state) => {
      if (state === 'delivered') return statuses.includes('succeeded');
      // These are open, always.
      return pending || (failed && state !== 'pending' && state !== 'unknown');
    }),
    ...(pending === failed ? {} : { undeliveredOpen: pending }),
  };
}

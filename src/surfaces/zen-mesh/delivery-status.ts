import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import type { Delivery } from '../../store/reading/delivery-reads.ts';

/** The statuses that one can ask for. */
export const ZEN_STATUSES = ['delivered', 'failed', 'retrying', 'pending'] as const;

/** One of {@link ZEN_STATUSES}. */
type ZenStatus = (typeof ZEN_STATUSES)[number];

/** The filter of each status. */
export const SELECTED_BY: Record<ZenStatus, Pick<DeliveryFilter, 'state' | 'open' | 'attempted'>> = {
  delivered: { state: ['delivered'] },
  // A delivery that failed stays so while a retry of it waits: it is not given up then.
  failed: { state: ['failed'], open: false },
  retrying: { state: ['pending', 'failed', 'unknown'], open: true, attempted: true },
  pending: { state: ['pending'], open: true, attempted: false },
};

/** The status of a delivery; `dropped` is one that was never sent and will not be. */
export function zenStatus({
  state,
  open,
  attempts,
}: Pick<Delivery, 'state' | 'open' | 'attempts'>): ZenStatus | 'dropped' {
  if (state === 'delivered') return 'delivered';
  if (open) return attempts > 0 ? 'retrying' : 'pending';
  return state === 'ignored' || state === 'cancelled' ? 'dropped' : 'failed';
}

import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../domain/sending/delivery-state.ts';
import type { Delivery } from '../../store/reading/delivery-reads.ts';

/** The statuses that one can ask for. */
export const ZEN_STATUSES = ['delivered', 'failed', 'retrying', 'pending'] as const;

/** One of {@link ZEN_STATUSES}. */
type ZenStatus = (typeof ZEN_STATUSES)[number];

const UNDELIVERED = DELIVERY_STATES.filter((state) => state !== 'delivered');

/** The filter of each status. */
export const SELECTED_BY: Record<ZenStatus, Pick<DeliveryFilter, 'state' | 'open' | 'attempted'>> = {
  delivered: { state: ['delivered'] },
  // A delivery that failed stays so while a retry of it waits: it is not given up then.
  failed: { state: ['failed'], open: false },
  // A retry that waits leaves the state as it was: ignored, too, or failed without an attempt, where it was imported.
  retrying: { state: UNDELIVERED, open: true, attempted: true },
  pending: { state: UNDELIVERED, open: true, attempted: false },
};

/** The status of a delivery; `dropped` is one that was left without its attempts having failed, and is not sent. */
export function zenStatus({
  state,
  open,
  attempts,
}: Pick<Delivery, 'state' | 'open' | 'attempts'>): ZenStatus | 'dropped' {
  if (state === 'delivered') return 'delivered';
  if (open) return attempts > 0 ? 'retrying' : 'pending';
  return state === 'ignored' || state === 'cancelled' ? 'dropped' : 'failed';
}

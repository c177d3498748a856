import type { DeliveryFilter } from '../operations/selection.ts';
import type { DeliveryState } from '../sending/delivery-state.ts';
import type { Id } from '../tenancy/typed-id.ts';

/** The window of an outage, in absolute times. */
export interface OutageWindow {
  endpointId: Id<'endpoint'>;
  from: Date;
  /** Its recovery or its end; now, where it has neither. */
  to: Date;
  /** Deliveries that were accepted earlier are none of it. */
  reachesBackTo: Date;
}

/** The states of deliveries that an outage left, and that no retry of its own is on its way to. */
export const LEFT_STATES = ['failed', 'unknown', 'ignored'] as const satisfies readonly DeliveryState[];

/**
 * The deliveries of a window that are in one of these states: accepted within it; or accepted before, and tried in vain,
 * given up or ignored within it. What was ignored for other reasons than the disabled endpoint was never to be sent.
 */
export function windowFilter(
  { endpointId, from, to, reachesBackTo }: OutageWindow,
  state: readonly DeliveryState[] = LEFT_STATES,
): DeliveryFilter {
  const until = { at: to.toISOString(), inclusive: true };
  return {
    endpointIds: [endpointId],
    state: [...state],
    ignoredFor: ['endpoint_disabled'],
    from: { at: reachesBackTo.toISOString(), inclusive: true },
    to: until,
    caughtBetween: { from: { at: from.toISOString(), inclusive: true }, to: until },
  };
}

/** The states of a delivery, folded from its executions. */
export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'unknown', 'cancelled', 'ignored'] as const;

/** Folded state of a delivery. */
export type DeliveryState = (typeof DELIVERY_STATES)[number];

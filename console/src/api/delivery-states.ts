/** The states of deliveries. */
export const STATES = ['failed', 'unknown', 'pending', 'cancelled', 'ignored', 'delivered'] as const;

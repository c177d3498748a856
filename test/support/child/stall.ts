/** Kept from working for longer than this, again and again perhaps, a sender may not record within its lease. */
export const STALL_MS = 500;

/** The states of operations that somebody or something still has to do with. */
export const OPEN_STATES = [
  'planned',
  'awaiting_approval',
  'accepted',
  'selecting',
  'running',
  'paused',
  'halted',
  'closing',
] as const;

/** All states of operations. */
export const OPERATION_STATES = [
  ...OPEN_STATES,
  'completed',
  'completed_with_failures',
  'cancelled',
] as const;

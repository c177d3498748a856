/** What an operation can be in. */
export const OPERATION_STATES = [
  'planned',
  'awaiting_approval',
  'accepted',
  'selecting',
  'running',
  'paused',
  'halted',
  'closing',
  'completed',
  'completed_with_failures',
  'cancelled',
] as const;

/** State of an operation. */
export type OperationState = (typeof OPERATION_STATES)[number];

/** The three ends: nothing follows them. */
export const OPERATION_ENDS = [
  'completed',
  'completed_with_failures',
  'cancelled',
] as const satisfies readonly OperationState[];

/** What its owner wants of an operation; read by every slice at each claim. */
export type Control = 'run' | 'pause' | 'cancel';

/** The kinds of operation; the first part of its workflow id. */
export type OperationKind = 'retry' | 'replay';

/** Whether `state` is one of the three ends. */
export function hasEnded(state: OperationState): boolean {
  return (OPERATION_ENDS as readonly OperationState[]).includes(state);
}

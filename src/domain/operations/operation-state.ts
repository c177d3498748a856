/** The states of an operation. */
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

/**
 * The one transition table; `operation_may_become` in migrations/0010-policy.sql mirrors it and a test compares
 * them. A plan is `planned` again where a step of making it failed, or where too much had changed when it was executed. Items of the live lane may have ended before their operation has changed its state at all. A step of a cancel
 * can fail: `closing` is then `halted`, and goes on when it is asked for again.
 */
export const OPERATION_TRANSITIONS: Readonly<Record<OperationState, readonly OperationState[]>> = {
  planned: ['awaiting_approval', 'accepted', 'halted', 'closing', 'cancelled'],
  // Its items may be acknowledged meanwhile, or taken over by others.
  awaiting_approval: ['accepted', 'halted', 'closing', 'completed', 'completed_with_failures', 'cancelled'],
  accepted: [
    'planned',
    'selecting',
    'running',
    'paused',
    'halted',
    'closing',
    'completed',
    'completed_with_failures',
  ],
  selecting: ['planned', 'running', 'paused', 'halted', 'closing'],
  running: ['paused', 'halted', 'closing', 'completed', 'completed_with_failures'],
  paused: ['selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures'],
  halted: [
    'planned',
    'awaiting_approval',
    'selecting',
    'running',
    'closing',
    'completed',
    'completed_with_failures',
  ],
  closing: ['halted', 'cancelled'],
  completed: [],
  completed_with_failures: [],
  cancelled: [],
};

/** The control that its owner has set for an operation; read by every slice at each claim. */
export type Control = 'run' | 'pause' | 'cancel';

/** The kinds of operation; the first part of its workflow id. */
export type OperationKind = 'retry' | 'replay';

/** Whether `state` is one of the three ends. */
export function hasEnded(state: OperationState): boolean {
  return (OPERATION_ENDS as readonly OperationState[]).includes(state);
}

/** The states of an execution, one run of delivering; the words are those of docs/concepts.md. */
export const EXECUTION_STATES = [
  'queued',
  'scheduled',
  'sending',
  'unknown',
  'superseded',
  'cancelled',
  'ignored',
  'failed',
  'delivered',
] as const;

/** State of an execution. */
export type ExecutionState = (typeof EXECUTION_STATES)[number];

/**
 * The one transition table; `execution_may_become` in migrations/0004-accounting.sql mirrors it and a test compares
 * them.
 */
export const EXECUTION_TRANSITIONS: Readonly<Record<ExecutionState, readonly ExecutionState[]>> = {
  queued: ['sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered'],
  scheduled: ['sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered'],
  sending: ['delivered', 'failed', 'scheduled', 'unknown', 'queued', 'cancelled'],
  unknown: ['delivered', 'failed', 'scheduled'],
  superseded: [],
  cancelled: ['delivered'],
  ignored: ['delivered'],
  failed: ['delivered'],
  delivered: [],
};

/** The states in which an execution owns its delivery. */
export const OPEN_EXECUTION_STATES = [
  'queued',
  'scheduled',
  'sending',
  'unknown',
] as const satisfies readonly ExecutionState[];

/** Whether an execution in `state` owns its delivery. */
export function isOpen(state: ExecutionState): boolean {
  return (OPEN_EXECUTION_STATES as readonly ExecutionState[]).includes(state);
}

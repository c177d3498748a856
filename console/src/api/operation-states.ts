import type { Schema } from './client.ts';

type OperationState = Schema<'OperationSummary'>['state'];

/** Each state that the API knows, and whether somebody or something still has to do with an operation in it. */
const OPEN: Readonly<Record<OperationState, boolean>> = {
  planned: true,
  awaiting_approval: true,
  accepted: true,
  selecting: true,
  running: true,
  paused: true,
  halted: true,
  closing: true,
  completed: false,
  completed_with_failures: false,
  cancelled: false,
};

/** All states of operations. */
export const OPERATION_STATES = Object.keys(OPEN) as OperationState[];

/** The states of operations that somebody or something still has to do with. */
export const OPEN_STATES = OPERATION_STATES.filter((state) => OPEN[state]);

import type { NextStep } from '../domain/operations/next-step.ts';
import type { OperationState } from '../domain/operations/operation-state.ts';

/** What an activity tells the workflow: what comes next, and what its reader in the Temporal UI sees. Numbers and words only. */
export interface Progress {
  step: NextStep;
  state: OperationState;
  /** Markdown for the UI's current details. */
  details: string;
  /** The code of what halted it, while it is halted. */
  halt?: string;
}

/** The steps of an operation; each can be run again at any time, because where it stands is in Postgres. */
export interface OperationActivities {
  /** Looks at the operation: the first thing a run does, and the end of a superfluous one. */
  assess(operationId: string): Promise<Progress>;
  /** Freezes what its filter selects, page by page. */
  select(operationId: string): Promise<Progress>;
  /** Claims and sends its items until nothing can be claimed soon. */
  dispatchSlice(operationId: string): Promise<Progress>;
  /** Cancels what is unsent where that is asked for, and closes it when its counts add up. */
  close(operationId: string): Promise<Progress>;
  /** Commits a cancel that came from the Temporal UI. */
  cancelOperation(operationId: string): Promise<void>;
}

import type { NextStep } from '../domain/operations/next-step.ts';
import type { OperationState } from '../domain/operations/operation-state.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';

/** The answer of an activity to the workflow: the next step, and a text for the Temporal UI. Numbers and words only. */
export interface Progress {
  step: NextStep;
  state: OperationState;
  /** Markdown for the UI's current details. */
  details: string;
  /** The code of its halt, while it is halted. */
  halt?: string;
}

/** The steps of an operation; each can be run again at any time, because where it stands is in Postgres. */
export interface OperationActivities {
  /** Looks at the operation: the first thing a run does, and the end of a superfluous one. */
  assess(operationId: Id<'operation'>): Promise<Progress>;
  /** Freezes the selection of its filter, page by page. */
  select(operationId: Id<'operation'>): Promise<Progress>;
  /** Claims and sends its items until nothing can be claimed soon. */
  dispatchSlice(operationId: Id<'operation'>): Promise<Progress>;
  /** Cancels unsent items where that is asked for, and closes it when its counts add up. */
  close(operationId: Id<'operation'>): Promise<Progress>;
  /** Commits a cancel that came from the Temporal UI. */
  cancelOperation(operationId: Id<'operation'>): Promise<void>;
}

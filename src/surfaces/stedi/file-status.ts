import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import { type ExecutionState, isOpen } from '../../domain/sending/execution-state.ts';

/** What a file execution can be in; nothing here is ever STARTED, which clients may ask for all the same. */
export const FILE_STATUSES = [
  'COMPLETED',
  'PARTIALLY_COMPLETED',
  'FAILED',
  'IGNORED',
  'IN_PROGRESS',
  'RETRYING',
  'RETRIED',
  'STARTED',
] as const;

/** One of {@link FILE_STATUSES}. */
export type FileStatus = (typeof FILE_STATUSES)[number];

/** What the status of a file execution follows from. */
export interface FileRun {
  state: ExecutionState;
  /** The receiver took only a part of it: the answer that delivered it was 207. */
  partly: boolean;
  /** The execution that retried it, or that it was taken over by. */
  child?: { open: boolean };
}

/**
 * The status of a file execution. What was retried says how far its child is, so that FAILED and IGNORED are always the
 * newest of their chain; what is delivered stays completed, whatever a later replay of it does.
 */
export function fileStatus({ state, partly, child }: FileRun): FileStatus {
  if (isOpen(state)) return 'IN_PROGRESS';
  if (state === 'delivered') return partly ? 'PARTIALLY_COMPLETED' : 'COMPLETED';
  if (child) return child.open ? 'RETRYING' : 'RETRIED';
  return state === 'failed' ? 'FAILED' : 'IGNORED';
}

/** Whether a retry of a file execution makes a child of it. */
export function isRetryable(
  run: FileRun & {
    /** False where it was cancelled before its first attempt and gave its parent's child slot back. */
    inChain: boolean;
    deliveryState: DeliveryState;
    payloadKept: boolean;
    reason?: string;
  },
): boolean {
  const status = fileStatus(run);
  return (
    (status === 'FAILED' || status === 'IGNORED') &&
    run.inChain &&
    run.deliveryState !== 'delivered' &&
    (run.payloadKept || run.reason === 'suppressed_duplicate')
  );
}

import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import { exclusionOf, retryFate } from '../../domain/operations/retry-fate.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import { type ExecutionState, isOpen } from '../../domain/sending/execution-state.ts';

/** The statuses of a file execution; nothing here is ever STARTED, which clients may ask for all the same. */
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

/** The facts from which the status of a file execution follows. */
export interface FileRun {
  state: ExecutionState;
  /** The receiver took only a part of it: the answer that delivered it was 207. */
  partly: boolean;
  /** The execution that retried it, or that it was taken over by. */
  child?: { open: boolean };
}

/**
 * The status of a file execution. A retried one says how far its child is, so that FAILED and IGNORED are always the
 * newest of their chain; a delivered one stays completed through any later replay.
 */
export function fileStatus({ state, partly, child }: FileRun): FileStatus {
  if (isOpen(state)) return 'IN_PROGRESS';
  if (state === 'delivered') return partly ? 'PARTIALLY_COMPLETED' : 'COMPLETED';
  if (child) return child.open ? 'RETRYING' : 'RETRIED';
  return state === 'failed' ? 'FAILED' : 'IGNORED';
}

/** A retry here runs filters again, and leaves alone deliveries that somebody else will send. */
const RETRY = {
  kind: 'retry',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: true,
} as const;

/** Whether a retry of a file execution would make a child of it now. */
export function isRetryable(
  run: FileRun & {
    /** False where it was cancelled before its first attempt and gave its parent's child slot back. */
    inChain: boolean;
    deliveryState: DeliveryState;
    payloadKept: boolean;
    /** Its sender sent the event again, and a later delivery stands for it. */
    resent: boolean;
    endpoint: { state: EndpointState };
    reason?: string;
  },
): boolean {
  const status = fileStatus(run);
  if ((status !== 'FAILED' && status !== 'IGNORED') || !run.inChain) return false;
  const fate = retryFate(
    {
      delivery: run.deliveryState,
      endpoint: run.endpoint.state,
      payloadKept: run.payloadKept,
      suppressedDuplicate: run.reason === 'suppressed_duplicate',
      resent: run.resent,
    },
    RETRY,
  );
  return exclusionOf(fate, RETRY) === undefined;
}

import type { FaultCode } from './fault-code.ts';

/**
 * The final status line arrived, whatever became of the body behind it; `excerpt` is at most 1,024 raw bytes of that
 * body.
 */
type AnsweredAttempt = {
  kind: 'answered';
  status: number;
  /** The wait that the answer asked for in `Retry-After`, already capped; see `parseRetryAfter`. */
  retryAfterMs?: number;
  excerpt: Uint8Array;
  durationMs: number;
};

/** No status arrived; `mayHaveArrived` is true from the moment the first byte of the request could have left. */
export type FaultedAttempt = {
  kind: 'faulted';
  fault: FaultCode;
  mayHaveArrived: boolean;
  durationMs: number;
};

/** What a sender can have no more of, so that no connection can be made whoever is at its other end. */
export const SHORTAGES = ['files', 'ports', 'memory'] as const;

/** One of {@link SHORTAGES}. */
export type Shortage = (typeof SHORTAGES)[number];

/** Certainly unsent for a reason of ours; never counted as an attempt. */
type ReleasedAttempt =
  | { kind: 'released'; reason: 'deadline' | 'stopping' | 'turn' }
  | { kind: 'released'; reason: 'shortage'; of: Shortage };

/** The value one attempt ends with; durations are whole milliseconds since `send` was called. */
export type AttemptResult = AnsweredAttempt | FaultedAttempt | ReleasedAttempt;

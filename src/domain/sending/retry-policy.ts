/** How an endpoint is tried again by itself: attempts in all, and exponential waits between them. */
export interface RetryPolicy {
  maxAttempts: number;
  initialMs: number;
  factor: number;
  capMs: number;
}

/**
 * The choices when nobody knows whether a request arrived: send it again with the same id, ask the endpoint, or wait
 * for its acknowledgement or an operator's word.
 */
export const ON_AMBIGUOUS = ['resend', 'probe', 'hold'] as const;

/** Policy for ambiguous outcomes. */
export type OnAmbiguous = (typeof ON_AMBIGUOUS)[number];

/** 8 attempts over some two hours, as long as a deployment gone wrong usually lasts. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 8,
  initialMs: 5_000,
  factor: 4,
  capMs: 3_600_000,
};

/** How the waits between the attempts of an execution grow. */
export type BackoffPolicy = { initialMs: number; factor: number; capMs: number };

/** Jitter spreads retries that failed together; it only ever adds, so that no wait is shorter than promised. */
const MAX_JITTER = 0.1;

/**
 * Whole milliseconds to wait after attempt `attemptNumber` (1 is the first): `initialMs × factor^(n-1)`, at most
 * `capMs`, plus up to 10 % of jitter by `random01` (0 up to 1). The jitter may go past the cap.
 */
export function backoffMs(policy: BackoffPolicy, attemptNumber: number, random01: number): number {
  const grown = policy.initialMs * policy.factor ** (Math.max(1, attemptNumber) - 1);
  return Math.round(Math.min(policy.capMs, grown) * (1 + MAX_JITTER * random01));
}

import { backoffMs } from './backoff.ts';
import type { Classification } from './classification.ts';
import type { OnAmbiguous, RetryPolicy } from './retry-policy.ts';

/** What becomes of an execution after an attempt. Delays are relative: only the database's clock makes them times. */
export type Next =
  | { state: 'delivered' }
  | { state: 'failed'; reason: 'permanent' | 'gone' | 'exhausted' }
  | { state: 'scheduled'; delayMs: number }
  /** Settled by a status request where it `probes`, and otherwise by an acknowledgement or an operator. */
  | { state: 'unknown'; probes: boolean }
  | { state: 'queued' };

/** What the decision looks at. `attempts` counts this one. */
export interface Situation {
  outcome: Classification;
  attempts: number;
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  /** A number in [0, 1), for the jitter. */
  random: number;
}

/** Decides what follows an attempt; a released item goes back unsent and nothing is counted. */
export function decideNext({ outcome, attempts, policy, onAmbiguous, random }: Situation): Next {
  switch (outcome.outcome) {
    case 'released':
      return { state: 'queued' };
    case 'delivered':
      return { state: 'delivered' };
    case 'gone':
      return { state: 'failed', reason: 'gone' };
    case 'permanent':
      return { state: 'failed', reason: 'permanent' };
    case 'ambiguous':
      if (outcome.faultCode === 'unacknowledged' || onAmbiguous !== 'resend')
        return { state: 'unknown', probes: onAmbiguous === 'probe' };
      break;
    case 'retryable':
    case 'unsent':
      break;
  }
  if (attempts >= policy.maxAttempts) return { state: 'failed', reason: 'exhausted' };
  return {
    state: 'scheduled',
    delayMs: Math.max(backoffMs(policy, attempts, random), outcome.retryAfterMs ?? 0),
  };
}

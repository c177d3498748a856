import { backoffMs } from './backoff.ts';
import type { Classification } from './classification.ts';
import type { OnAmbiguous, RetryPolicy } from './retry-policy.ts';

/** The state of an execution after an attempt. Delays are relative: only the database's clock makes them times. */
export type Next =
  | { state: 'delivered' }
  | { state: 'failed'; reason: 'permanent' | 'gone' | 'exhausted' }
  | { state: 'scheduled'; delayMs: number }
  /** Settled by a status request where it `probes`, and otherwise by an acknowledgement or an operator. */
  | { state: 'unknown'; probes: boolean }
  | { state: 'queued' };

/** The facts that the decision looks at. `attempts` counts this one. */
export interface Situation {
  outcome: Classification;
  attempts: number;
  /** Of these attempts, how many had a sender that was lost, and how many of the last ones in a row. */
  lost?: { all: number; inARow: number };
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  /** A number in [0, 1), for the jitter. */
  random: number;
}

/** So often in a row a lost attempt is made again, whatever the policy: beyond, the request itself may end senders. */
export const LOST_IN_A_ROW = 3;

const NONE_LOST = { all: 0, inARow: 0 };

/**
 * Decides what follows an attempt; a released item goes back unsent and nothing is counted. `maxAttempts` limits the
 * attempts that are the receiver's; one whose sender was lost is not, and is made again where the policy sends again.
 */
export function decideNext({
  outcome,
  attempts,
  lost = NONE_LOST,
  policy,
  onAmbiguous,
  random,
}: Situation): Next {
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
  const spared = lost.inARow <= LOST_IN_A_ROW;
  const counted = spared ? attempts - lost.all : attempts;
  const isOurs = outcome.faultCode === 'lease_lost' && spared;
  if (!isOurs && counted >= policy.maxAttempts) return { state: 'failed', reason: 'exhausted' };
  return {
    state: 'scheduled',
    delayMs: Math.max(backoffMs(policy, counted, random), outcome.retryAfterMs ?? 0),
  };
}

import { type BackoffPolicy, backoffMs } from './backoff.ts';
import type { Classification } from './classification.ts';
import { LOST_FAULT, WAY_OUT_FAULT } from './fault-code.ts';
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
  /**
   * Attempts among these that were none of the receiver's, this one counted only where its sender was lost; and how many
   * of the last ones in a row had a sender that was lost.
   */
  lost?: { all: number; inARow: number };
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  /** A number in [0, 1), for the jitter. */
  random: number;
}

/** So often in a row a lost attempt is made again, whatever the policy: beyond, the request itself may end senders. */
export const LOST_IN_A_ROW = 3;

/** The waits while our own way out is shut, whatever the policy: soon at first, and no longer than a circuit rests. */
const WAY_OUT_WAITS: BackoffPolicy = { initialMs: 1_000, factor: 2, capMs: 300_000 };

const NONE_LOST = { all: 0, inARow: 0 };

/**
 * Decides what follows an attempt; a released item goes back unsent and nothing is counted. `maxAttempts` limits the
 * attempts that are the receiver's. One whose sender was lost is not, and is made again where the policy sends again; nor
 * is one that our own way out kept back, which is made again until its time to give up.
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
    case 'unsent':
      if (outcome.faultCode === WAY_OUT_FAULT)
        return { state: 'scheduled', delayMs: backoffMs(WAY_OUT_WAITS, lost.all + 1, random) };
      break;
    case 'retryable':
      break;
  }
  const spared = lost.inARow <= LOST_IN_A_ROW;
  const counted = attempts - (spared ? lost.all : lost.all - lost.inARow);
  const isOurs = outcome.faultCode === LOST_FAULT && spared;
  if (!isOurs && counted >= policy.maxAttempts) return { state: 'failed', reason: 'exhausted' };
  // The lease was wait enough, and the receiver has done nothing; one that is lost again may itself end its senders.
  if (isOurs && lost.inARow === 1) return { state: 'scheduled', delayMs: 0 };
  return {
    state: 'scheduled',
    delayMs: Math.max(backoffMs(policy, counted, random), outcome.retryAfterMs ?? 0),
  };
}

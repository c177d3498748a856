import type { AttemptResult } from '../sending/attempt-result.ts';

/** How far a request to a listener came, when its sender stopped waiting. */
export interface HandedRequest {
  /** It went down the connection: from then on it may have arrived. */
  handed: boolean;
  /** The listener has ended: nobody will answer any more. */
  ended: boolean;
  /** Absent where nobody answered in time. */
  answer?: ListenerAnswer;
}

/** What a listener says of a request: what its receiver answered, or that it could not be reached. */
export type ListenerAnswer = { status: number; excerpt: Uint8Array } | 'unreachable';

/** The result of an attempt at a listener. */
export function resultOf({ handed, ended, answer }: HandedRequest, durationMs: number): AttemptResult {
  if (answer === 'unreachable') return nobodyListens(durationMs);
  if (answer) return { kind: 'answered', ...answer, durationMs };
  if (!handed && ended) return nobodyListens(durationMs);
  const fault = !handed ? 'connect_timeout' : ended ? 'connection_reset' : 'timeout';
  return { kind: 'faulted', fault, mayHaveArrived: handed, durationMs };
}

/** The result where nobody listens, or the receiver behind the listener could not be reached: certainly unsent. */
export function nobodyListens(durationMs: number): AttemptResult {
  return { kind: 'faulted', fault: 'connection_refused', mayHaveArrived: false, durationMs };
}

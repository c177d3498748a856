import { classify } from '../sending/classification.ts';
import type { FaultCode } from '../sending/fault-code.ts';
import type { ForeignAttempt, ForeignEnding } from './import-record.ts';

/** Faults after which nobody knows whether the request has arrived. */
const AMBIGUOUS: ReadonlySet<FaultCode> = new Set([
  'timeout',
  'connection_reset',
  'invalid_response',
  'no_answer',
]);

/**
 * The meaning of a status that another system was answered. A 5xx is ambiguous here: what stood before the receiver may
 * have written it, and the policy by which they tried again is not known.
 */
export function endedWithStatus(httpStatus: number): ForeignEnding {
  const { outcome, faultCode } = classify({
    kind: 'answered',
    status: httpStatus,
    excerpt: new Uint8Array(),
    durationMs: 0,
  });
  if (outcome === 'released') throw new Error('an answer was taken for no attempt');
  return {
    outcome: httpStatus >= 500 ? 'ambiguous' : outcome,
    httpStatus,
    ...(faultCode === undefined ? {} : { faultCode }),
  };
}

/** The meaning of an attempt without an answer. */
export function endedWithFault(faultCode: FaultCode): ForeignEnding {
  return { outcome: AMBIGUOUS.has(faultCode) ? 'ambiguous' : 'unsent', faultCode };
}

/** Whether one of these attempts may have arrived. */
export function anyMayHaveArrived(attempts: readonly Pick<ForeignAttempt, 'outcome'>[]): boolean {
  return attempts.some(({ outcome }) => outcome === 'ambiguous');
}

/** Tells an attempt without an id from the others of its delivery. */
export function attemptKey(at: string, ending: ForeignEnding): string {
  return `${at} ${ending.httpStatus ?? ending.faultCode ?? ending.outcome}`;
}

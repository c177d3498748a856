import type { AttemptResult, FaultedAttempt } from './attempt-result.ts';
import type { FaultCode } from './fault-code.ts';

/**
 * The meaning of an attempt for its execution: `unsent` is certainly not sent and retryable, `ambiguous` may have
 * arrived and is settled by the endpoint's `onAmbiguous`, `gone` (410) also disables the endpoint, `released` was no
 * attempt at all.
 */
export type AttemptOutcome =
  | 'delivered'
  | 'retryable'
  | 'permanent'
  | 'gone'
  | 'ambiguous'
  | 'unsent'
  | 'released';

/** An outcome with the facts the ledger records; `mayHaveArrived` is true for `ambiguous` and nothing else. */
export type Classification = {
  outcome: AttemptOutcome;
  faultCode?: FaultCode;
  httpStatus?: number;
  retryAfterMs?: number;
  mayHaveArrived: boolean;
};

/** Codes of the answers that invite another try although they are 4xx. */
const RETRYABLE_4XX = new Map<number, FaultCode>([
  [408, 'http_408'],
  [409, 'http_409'],
  [425, 'http_425'],
  [429, 'http_429'],
]);

/** Sending the same thing to the same place again cannot end otherwise. */
const PERMANENT_FAULTS: ReadonlySet<FaultCode> = new Set(['address_blocked', 'invalid_request', 'gave_up']);

/**
 * Turns the end of an attempt into its meaning (Standard Webhooks 1.0: 2xx is success, 3xx a failure, 410 disables the
 * endpoint). Total: every result has exactly one outcome.
 *
 * An answer counts by its status line alone. A 2xx whose body is then cut, reset or dripped is delivered: the receiver
 * has said that it took the event, and sending it again would double an event that was acknowledged. The hazard is a
 * receiver, or a proxy before it, that sends its status line before it has done the work and then dies; that one breaks
 * the promise of its own status, and only an acknowledgement (`requireAck`) sees it. In the same way a 5xx whose body
 * is cut stays a plain, retryable failure.
 */
export function classify(result: AttemptResult): Classification {
  switch (result.kind) {
    case 'released':
      return { outcome: 'released', mayHaveArrived: false };
    case 'faulted':
      return classifyFault(result);
    case 'answered': {
      const classification = classifyStatus(result.status);
      return result.retryAfterMs === undefined || classification.outcome === 'delivered'
        ? classification
        : { ...classification, retryAfterMs: result.retryAfterMs };
    }
  }
}

/** The meaning of an attempt at an endpoint that has to acknowledge the events it takes: its 202 settles nothing. */
export function demandAcknowledgement(classification: Classification): Classification {
  return classification.outcome === 'delivered' && classification.httpStatus === 202
    ? { outcome: 'ambiguous', faultCode: 'unacknowledged', httpStatus: 202, mayHaveArrived: true }
    : classification;
}

function classifyStatus(httpStatus: number): Classification {
  if (httpStatus < 200) {
    // No final answer is 1xx: this one is not HTTP, and the fate of the request is not known.
    return { outcome: 'ambiguous', faultCode: 'invalid_response', httpStatus, mayHaveArrived: true };
  }
  if (httpStatus < 300) return { outcome: 'delivered', httpStatus, mayHaveArrived: false };
  if (httpStatus < 400) return failed('permanent', 'http_3xx', httpStatus);
  // RFC 9110 section 15: a status of 600 and above is to be treated as a 5xx.
  if (httpStatus >= 500) return failed('retryable', 'http_5xx', httpStatus);
  if (httpStatus === 410) return failed('gone', 'http_410', httpStatus);
  const retryable = RETRYABLE_4XX.get(httpStatus);
  return retryable ? failed('retryable', retryable, httpStatus) : failed('permanent', 'http_4xx', httpStatus);
}

function classifyFault({ fault, mayHaveArrived }: FaultedAttempt): Classification {
  if (mayHaveArrived) return { outcome: 'ambiguous', faultCode: fault, mayHaveArrived: true };
  const outcome = PERMANENT_FAULTS.has(fault) ? 'permanent' : 'unsent';
  return { outcome, faultCode: fault, mayHaveArrived: false };
}

function failed(outcome: AttemptOutcome, faultCode: FaultCode, httpStatus: number): Classification {
  return { outcome, faultCode, httpStatus, mayHaveArrived: false };
}

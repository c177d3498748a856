import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { DeliveryState } from '../../../domain/sending/delivery-state.ts';
import type { ExecutionState } from '../../../domain/sending/execution-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';

/** The outcomes of a request, as its receipt names them. */
export const RECEIPT_OUTCOMES = [
  'rejected',
  'accepted',
  'processing',
  'delivered',
  'failed',
  'no_workflow',
  'duplicate_suppressed',
] as const;

/** One of {@link RECEIPT_OUTCOMES}. */
export type ReceiptOutcome = (typeof RECEIPT_OUTCOMES)[number];

/** The statuses of a handoff. */
export const HANDOFF_STATUSES = [
  'queued',
  'processing',
  'uncertain',
  'delivered',
  'failed',
  'cancelled',
  'not_ready',
  'suppressed',
  'retention_expired',
] as const;

/** One of {@link HANDOFF_STATUSES}. */
export type HandoffStatus = (typeof HANDOFF_STATUSES)[number];

/** The families of reasons for recovery. */
export const RECOVERY_CODES = [
  'authentication_failed',
  'validation_failed',
  'no_workflow',
  'handoff_failed',
  'handoff_not_terminal',
  'duplicate_suppressed',
  'retention_expired',
] as const;

/** One of {@link RECOVERY_CODES}. */
export type RecoveryCode = (typeof RECOVERY_CODES)[number];

/** The states of the payload: suppressed repeats and refused requests never had one here. */
export const RETENTION_STATES = ['retained', 'expired', 'never_kept'] as const;

/** One of {@link RETENTION_STATES}. */
export type RetentionState = (typeof RETENTION_STATES)[number];

/** Who says that a delivered handoff was accepted. */
export type AcceptedBy =
  /** The endpoint's own answer, 2xx. */
  | 'answer'
  /** The receiver's acknowledgement. */
  | 'acknowledgement'
  /** A status request to the endpoint, or an operator. */
  | 'resolution';

/** The facts of one handoff: one event for one endpoint. */
export interface HandoffFacts {
  state: DeliveryState;
  /** State of the execution that owns it, where one does. */
  open?: ExecutionState;
  attempted: boolean;
  /** Why its newest execution ended. */
  reason?: string;
  /** One of its attempts may have arrived, and nobody knows. */
  mayHaveArrived: boolean;
  /** One of its attempts was answered 5xx: the endpoint took the request, and failed at some point of its work. */
  failedThere?: boolean;
  /** One of its attempts was answered. */
  answered?: boolean;
  acceptedBy?: AcceptedBy;
  /** State of its endpoint now. */
  endpointState: EndpointState;
  /** The event that its sender sent again, and that stands for it at this endpoint. */
  resentAs?: Id<'event'>;
}

/** The facts of an accepted request. */
export interface AcceptedFacts {
  request: 'accepted';
  /** The first event with its id, of which it is a repeat. */
  duplicateOf?: Id<'event'>;
  /** Of a repeat: the receipt of that first event is not there any more. */
  firstGone?: boolean;
  /** A repeat of which nothing is ever sent. */
  suppressed: boolean;
  /** The newest event of the same id that was accepted later and stands for it. */
  resentAs?: Id<'event'>;
  retention: RetentionState;
  handoffs: HandoffFacts[];
}

/** The facts of a request, accepted or refused. */
export type ReceiptFacts = { request: 'rejected'; code: string } | AcceptedFacts;

/** All that "delivered" says. */
export const HANDOFF_BOUNDARY =
  'Delivered means that the endpoint accepted the handoff. It does not mean that downstream branches, app calls, fulfillment changes, emails, or later systems completed.';

/** Where a handoff stands, in the words of receipts. */
export function handoffStatus(handoff: HandoffFacts): HandoffStatus {
  const { state, open, reason } = handoff;
  if (state === 'delivered') return 'delivered';
  if (open === 'unknown') return 'uncertain';
  if (open === 'sending') return 'processing';
  if (open !== undefined) return wasTried(handoff) ? 'processing' : 'queued';
  switch (state) {
    case 'failed':
    case 'cancelled':
      return state;
    case 'ignored':
      if (reason === 'suppressed_duplicate') return 'suppressed';
      return reason === 'payload_expired' ? 'retention_expired' : 'not_ready';
    case 'pending':
    case 'unknown':
      return 'processing';
  }
}

/** Whether something was sent, or may have been: of a handoff that was imported that is known without its attempts. */
export function wasTried({ attempted, mayHaveArrived }: HandoffFacts): boolean {
  return attempted || mayHaveArrived;
}

/** Whether something behind the endpoint may have begun because of this handoff. */
export function mayHaveStarted({ state, open, mayHaveArrived, failedThere }: HandoffFacts): boolean {
  return state === 'delivered' || open === 'unknown' || mayHaveArrived || failedThere === true;
}

/** The handoffs of a receipt without those that an earlier one stands for. */
export function ownHandoffs<Handoff extends HandoffFacts>(handoffs: readonly Handoff[]): Handoff[] {
  return handoffs.filter((handoff) => handoffStatus(handoff) !== 'suppressed');
}

/** Whether nothing was ready for an accepted event: it matched nothing, or only endpoints that took nothing then. */
export function foundNoWorkflow(handoffs: readonly HandoffFacts[]): boolean {
  return ownHandoffs(handoffs).every(
    (handoff) => handoffStatus(handoff) === 'not_ready' && !wasTried(handoff),
  );
}

/** The outcome of the request as a whole; of several handoffs the one that needs most attention decides. */
export function outcomeOf(facts: ReceiptFacts): ReceiptOutcome {
  if (facts.request === 'rejected') return 'rejected';
  if (facts.suppressed) return 'duplicate_suppressed';
  if (foundNoWorkflow(facts.handoffs)) return 'no_workflow';
  const statuses = new Set(ownHandoffs(facts.handoffs).map(handoffStatus));
  if (statuses.has('processing') || statuses.has('uncertain')) return 'processing';
  if (statuses.has('queued')) return 'accepted';
  return (['failed', 'cancelled', 'retention_expired'] as const).some((status) => statuses.has(status)) ||
    !statuses.has('delivered')
    ? 'failed'
    : 'delivered';
}

/** Which family of recovery applies; undefined where there is nothing to recover. */
export function recoveryCodeOf(facts: ReceiptFacts): RecoveryCode | undefined {
  if (facts.request === 'rejected')
    return facts.code === 'insufficient_scope' ? 'authentication_failed' : 'validation_failed';
  switch (outcomeOf(facts)) {
    case 'delivered':
      return undefined;
    case 'duplicate_suppressed':
      return 'duplicate_suppressed';
    case 'accepted':
    case 'processing':
      return 'handoff_not_terminal';
    case 'no_workflow':
      if (facts.resentAs !== undefined) return undefined;
      return facts.retention === 'retained' ? 'no_workflow' : 'retention_expired';
    default:
      if (isResent(facts)) return undefined;
      return facts.retention === 'retained' ? 'handoff_failed' : 'retention_expired';
  }
}

/**
 * Whether later events stand for every undelivered handoff of a receipt: then those are to be recovered in its place.
 */
export function isResent({ handoffs, resentAs }: AcceptedFacts): boolean {
  const undelivered = ownHandoffs(handoffs).filter(({ state }) => state !== 'delivered');
  return (
    resentAs !== undefined &&
    undelivered.every((handoff) => handoff.open === undefined && handoff.resentAs !== undefined)
  );
}

/** The same for one handoff of an accepted event. */
export function handoffRecoveryCode(
  handoff: HandoffFacts,
  retention: RetentionState,
): RecoveryCode | undefined {
  if (handoff.open === undefined && handoff.resentAs !== undefined) return undefined;
  switch (handoffStatus(handoff)) {
    case 'delivered':
      return undefined;
    case 'suppressed':
      return 'duplicate_suppressed';
    case 'queued':
    case 'processing':
    case 'uncertain':
      return 'handoff_not_terminal';
    case 'not_ready':
      return retention === 'retained' ? 'no_workflow' : 'retention_expired';
    default:
      return retention === 'retained' ? 'handoff_failed' : 'retention_expired';
  }
}

/** The results of the checks of the request; a check behind one that failed was not reached. */
export function checksOf(facts: ReceiptFacts): {
  authentication: 'passed' | 'failed';
  validation: 'passed' | 'failed' | 'not_reached';
} {
  if (facts.request === 'accepted') return { authentication: 'passed', validation: 'passed' };
  return recoveryCodeOf(facts) === 'authentication_failed'
    ? { authentication: 'failed', validation: 'not_reached' }
    : { authentication: 'passed', validation: 'failed' };
}

import type { EndpointState } from '../endpoints/endpoint-state.ts';
import type { DeliveryState } from '../sending/delivery-state.ts';
import type { Control, OperationKind, OperationState } from './operation-state.ts';
import type { ExclusionReason } from './selection.ts';

/** Who will send an unsent execution: the live lane, or an open operation, which may have been told to stop. */
export type Holder =
  | { by: 'live_lane' }
  | {
      by: 'operation';
      control: Control;
      state: OperationState;
      /** Its canary at this endpoint did badly: nothing more goes there until somebody resumes it. */
      canaryHeld: boolean;
      /** A freeze window holds it at this endpoint, and will let it go by itself. */
      windowHolds?: boolean;
    };

/** The facts of a delivery before it is retried. */
export interface RetryFacts {
  delivery: DeliveryState;
  /** The execution that owns it; absent where none is open. */
  open?:
    | { state: 'queued' | 'scheduled'; holder: Holder }
    /** On the wire, or its outcome is not known: nobody takes it over, whatever its holder. */
    | { state: 'sending' | 'unknown'; holder?: never };
  endpoint: EndpointState;
  payloadKept: boolean;
  /** Its newest execution was ignored because its event repeats another one. */
  suppressedDuplicate: boolean;
  /** Its sender sent the event again, and a later delivery to the same endpoint stands for it. */
  resent?: boolean;
  /** It changed after the operation was accepted, and was selected by a filter. */
  changedSince?: boolean;
  /** A plan has shown it with another address than its endpoint has now. */
  addressMoved?: boolean;
}

/** The powers of the request. */
export interface RetryRequest {
  kind: OperationKind;
  /** It supersedes executions that are merely queued or scheduled elsewhere. */
  takesOverScheduled: boolean;
  /** It supersedes executions that a stopped operation holds: a single retry does, and each that takes over. */
  takesOverStopped: boolean;
  /** Types and filters run once more before each request, and with them the look for a first event. */
  matchesFilters: boolean;
  /** A replay of deliveries that were sent again was confirmed. */
  includesResent?: boolean;
  /** A replay that sends new deliveries: an execution that is open is another delivery's, and stays as it is. */
  newIdentity?: boolean;
}

/** The obstacle that somebody has to remove, or the outcome that has to become known, before it can be sent. */
export type WaitsFor = 'outcome' | 'pause' | 'halt' | 'approval' | 'canary';

/**
 * Why a retry of a delivery can send nothing. Under a request that matches filters a suppressed duplicate becomes an
 * item that is ignored from the start; in each other case the delivery is excluded.
 */
export type CannotReason = Extract<
  ExclusionReason,
  | 'already_delivered'
  | 'changed_since'
  | 'suppressed_duplicate'
  | 'resent'
  | 'payload_expired'
  | 'endpoint_disabled'
  | 'endpoint_deleted'
  | 'endpoint_changed'
>;

/** The fate of a retry of one delivery. */
export type RetryFate =
  /** By an execution of its own, which may supersede another one. */
  | { fate: 'will_be_sent'; takesOver: boolean }
  /** By the execution that is open, which somebody sends without being asked. */
  | { fate: 'joins' }
  /** The open execution stays as it is, and nothing is sent before something else happens. */
  | { fate: 'waits'; for: WaitsFor }
  | { fate: 'cannot'; reason: CannotReason };

/** Decides the fate of a retry; the freeze decides the same of many at once, in SQL, and a test compares the two. */
export function retryFate(facts: RetryFacts, request: RetryRequest): RetryFate {
  const fate = fateOf(facts, request);
  return fate.fate === 'will_be_sent' && facts.addressMoved ? cannot('endpoint_changed') : fate;
}

function fateOf(facts: RetryFacts, request: RetryRequest): RetryFate {
  const { delivery, open } = facts;
  // Not even where a replay of it is open: to join that, or to take it over, would send the delivery again.
  if (delivery === 'delivered' && request.kind === 'retry') return cannot('already_delivered');
  if (open?.state === 'sending') return { fate: 'joins' };
  if (open?.state === 'unknown') return { fate: 'waits', for: 'outcome' };
  if (open === undefined) {
    if (facts.suppressedDuplicate) return cannot('suppressed_duplicate');
    if (facts.resent && !(request.includesResent && request.kind === 'replay')) return cannot('resent');
    if (facts.changedSince) return cannot('changed_since');
  }
  // Before the endpoint: an endpoint may be enabled again, a payload does not come back.
  if (!facts.payloadKept) return cannot('payload_expired');
  if (facts.endpoint !== 'enabled') return cannot(`endpoint_${facts.endpoint}`);
  if (open?.holder === undefined) return { fate: 'will_be_sent', takesOver: false };
  const taken = request.newIdentity
    ? ({ fate: 'joins' } as const)
    : ({ fate: 'will_be_sent', takesOver: true } as const);
  const { holder } = open;
  if (holder.by === 'operation') {
    if (holder.control === 'cancel' || holder.state === 'closing') return taken;
    const stopped = stoppedBy(holder);
    const takes = request.takesOverStopped && !request.newIdentity;
    if (stopped) return takes ? taken : { fate: 'waits', for: stopped };
    // No window holds a single retry: it does not wait with the item of another.
    if (holder.windowHolds && takes) return taken;
  }
  return request.takesOverScheduled ? taken : { fate: 'joins' };
}

/** The reason why an operation sends nothing until somebody resumes it; undefined where there is none. */
function stoppedBy({
  control,
  state,
  canaryHeld,
}: Extract<Holder, { by: 'operation' }>): WaitsFor | undefined {
  // One that was halted, or that a policy holds, is paused, too.
  if (state === 'halted') return 'halt';
  if (control === 'pause') return state === 'awaiting_approval' || state === 'planned' ? 'approval' : 'pause';
  return canaryHeld ? 'canary' : undefined;
}

/** As which exclusion a fate is written; undefined where the delivery becomes an item. */
export function exclusionOf(fate: RetryFate, request: RetryRequest): ExclusionReason | undefined {
  switch (fate.fate) {
    case 'will_be_sent':
      return undefined;
    case 'joins':
      return 'coalesced';
    case 'waits':
      return fate.for === 'outcome' ? 'outcome_unknown' : 'held';
    case 'cannot':
      return fate.reason === 'suppressed_duplicate' && request.matchesFilters ? undefined : fate.reason;
  }
}

const cannot = (reason: CannotReason): RetryFate => ({ fate: 'cannot', reason });

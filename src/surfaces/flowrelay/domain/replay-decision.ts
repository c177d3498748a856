import { type RetryRequest, retryFate } from '../../../domain/operations/retry-fate.ts';
import {
  type AcceptedFacts,
  foundNoWorkflow,
  type HandoffFacts,
  handoffStatus,
  mayHaveStarted,
  ownHandoffs,
  type ReceiptFacts,
} from './receipt.ts';
import type { RefusalReason, ReplayRefusal } from './replay-refusal.ts';

/** How many replays of a tenant were executed in the last 24 hours, its limit, and when the next one is possible. */
export interface ReplayUsage {
  executed: number;
  limit?: number;
  /** Absent where no wait makes another one possible. */
  freeInMs?: number;
}

/** Whether something can be previewed and, where it is ready, confirmed and executed. */
export type ReplayDecision =
  | {
      possible: true;
      /**
       * Processing behind the endpoint may have begun, or its sender resent it: only an explicit confirmation goes on.
       */
      needsConfirmation: boolean;
    }
  | { possible: false; refusal: ReplayRefusal };

/**
 * A replay sends any closed delivery once more, by the endpoint as it is now; one that its sender sent again, once
 * confirmed.
 */
const REPLAY: RetryRequest = {
  kind: 'replay',
  takesOverScheduled: false,
  takesOverStopped: false,
  matchesFilters: true,
  includesResent: true,
};

/** Decides the replay of one handoff; one that is queued, sending or scheduled has none, even with a confirmation. */
export function decideHandoff(
  receipt: AcceptedFacts,
  handoff: HandoffFacts,
  usage: ReplayUsage,
): ReplayDecision {
  return refusedBy(wholeRefusal(receipt) ?? handoffRefusal(receipt, handoff) ?? usageRefusal(usage), () =>
    needsConfirmation(handoff),
  );
}

/**
 * Decides the replay of a receipt: of one of its handoffs, of the undelivered ones where there are any, or of a first
 * one where nothing was ready for its event. Lists, receipts, the guide, preview, confirmation and execution all ask
 * here.
 */
export function decideReplay(receipt: ReceiptFacts, usage: ReplayUsage): ReplayDecision {
  if (receipt.request === 'rejected') return refused('rejected_request');
  const whole = wholeRefusal(receipt);
  if (whole) return { possible: false, refusal: whole };
  if (isAfresh(receipt)) return refusedBy(usageRefusal(usage), () => false);
  const undelivered = ownHandoffs(receipt.handoffs).filter(({ state }) => state !== 'delivered');
  const handoffs = undelivered.length > 0 ? undelivered : receipt.handoffs;
  const refusals = handoffs.map((handoff) => handoffRefusal(receipt, handoff));
  const possible = handoffs.filter((_, index) => refusals[index] === undefined);
  if (possible.length > 0) return refusedBy(usageRefusal(usage), () => possible.some(needsConfirmation));
  return { possible: false, refusal: worst(refusals) ?? resentWhole(receipt) };
}

/** Whether the event is matched afresh for its first handoffs, instead of one handoff being made again. */
export function isAfresh({ handoffs, resentAs }: AcceptedFacts): boolean {
  return resentAs === undefined && foundNoWorkflow(handoffs);
}

/** Why the tenant may not replay now. */
export function usageRefusal({ executed, limit, freeInMs }: ReplayUsage): ReplayRefusal | undefined {
  if (limit === undefined || executed < limit) return undefined;
  return {
    reason: 'replays_per_day',
    ...(freeInMs === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(freeInMs / 1_000)) }),
  };
}

function needsConfirmation(handoff: HandoffFacts): boolean {
  return mayHaveStarted(handoff) || handoff.resentAs !== undefined;
}

function wholeRefusal(receipt: AcceptedFacts): ReplayRefusal | undefined {
  if (receipt.suppressed) return suppressedBy(receipt);
  return receipt.retention === 'retained' ? undefined : { reason: 'payload_gone' };
}

function suppressedBy({ duplicateOf, firstGone }: AcceptedFacts): ReplayRefusal {
  return {
    reason: 'suppressed_duplicate',
    ...(duplicateOf && !firstGone ? { firstEventId: duplicateOf } : {}),
  };
}

/** The sender sent it again before anything was ready for it: the later event is the one to replay. */
function resentWhole({ resentAs }: AcceptedFacts): ReplayRefusal {
  return { reason: 'resent', ...(resentAs ? { resentAs } : {}) };
}

/** Words the fate of a retry of this handoff; an endpoint that is merely disabled is something to correct first. */
function handoffRefusal(receipt: AcceptedFacts, handoff: HandoffFacts): ReplayRefusal | undefined {
  const fate = retryFate(
    {
      delivery: handoff.state,
      // An unknown one is resolved by the confirmation.
      ...(handoff.open === undefined || handoff.open === 'unknown' ? {} : { open: ownerOf(handoff.open) }),
      endpoint: handoff.endpointState,
      payloadKept: receipt.retention === 'retained',
      suppressedDuplicate: handoffStatus(handoff) === 'suppressed',
      resent: handoff.resentAs !== undefined,
    },
    REPLAY,
  );
  switch (fate.fate) {
    case 'will_be_sent':
      return undefined;
    case 'joins':
    case 'waits':
      return { reason: 'not_terminal' };
    case 'cannot':
      switch (fate.reason) {
        case 'endpoint_disabled':
          return handoff.open === undefined || handoff.open === 'unknown'
            ? undefined
            : { reason: 'not_terminal' };
        case 'endpoint_deleted':
          return { reason: 'endpoint_deleted' };
        case 'payload_expired':
          return { reason: 'payload_gone' };
        case 'suppressed_duplicate':
          return suppressedBy(receipt);
        case 'resent':
        case 'already_delivered':
        case 'changed_since':
          throw new Error(`a replay is never refused as ${fate.reason}`);
      }
  }
}

/** A replay leaves an open execution alone whoever holds it; the live lane stands for every holder. */
function ownerOf(open: NonNullable<HandoffFacts['open']>) {
  return open === 'sending'
    ? ({ state: 'sending' } as const)
    : ({ state: 'queued', holder: { by: 'live_lane' } } as const);
}

/** Of several refusals the one that passes by itself is told. */
function worst(refusals: (ReplayRefusal | undefined)[]): ReplayRefusal | undefined {
  const told = refusals.filter((each) => each !== undefined);
  return told.find(({ reason }) => reason === 'not_terminal') ?? told[0];
}

function refused(reason: RefusalReason): ReplayDecision {
  return { possible: false, refusal: { reason } };
}

function refusedBy(refusal: ReplayRefusal | undefined, needsConfirmation: () => boolean): ReplayDecision {
  return refusal ? { possible: false, refusal } : { possible: true, needsConfirmation: needsConfirmation() };
}

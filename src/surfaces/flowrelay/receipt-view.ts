import type { z } from 'zod';
import { showId } from '../../domain/tenancy/typed-id.ts';
import { publicUrl } from './domain/public-url.ts';
import {
  checksOf,
  HANDOFF_BOUNDARY,
  type HandoffStatus,
  handoffRecoveryCode,
  handoffStatus,
  outcomeOf,
  type ReceiptFacts,
  recoveryCodeOf,
} from './domain/receipt.ts';
import { type Guidance, RECOVERY_SITUATIONS, type RecoverySituation } from './domain/recovery-guide.ts';
import {
  handoffAvailability,
  type ReplayAvailability,
  refusalCode,
  replayAvailability,
} from './domain/replay-refusal.ts';
import type {
  EndpointSnapshotView,
  GuidanceView,
  GuideView,
  ReceiptSummary,
  ReceiptView,
  ReplayAvailabilityView,
} from './receipt-schema.ts';
import { type ReceiptParts, SHOWN, timelineOf } from './receipt-timeline.ts';
import type { EndpointSnapshot, Handoff } from './store/handoffs.ts';
import type { Receipt } from './store/receipts.ts';

const MEANINGS: Record<HandoffStatus, string> = {
  queued: 'Accepted and waiting to be handed off.',
  processing: 'Not terminal yet: it is being handed off, or waits for reconciliation.',
  uncertain:
    'Not terminal yet: it was sent, its outcome is not known, and processing may already have started.',
  delivered: 'The endpoint accepted the handoff.',
  failed: 'The endpoint did not accept the handoff.',
  cancelled: 'The handoff was called off.',
  not_ready: 'The endpoint was not ready for it: nothing was sent.',
  suppressed: 'A duplicate: nothing was sent.',
  retention_expired: 'The payload was gone before it was sent.',
};

/** What is known of a request, as the domain decides by it. */
export function factsOf(receipt: Receipt): ReceiptFacts {
  if (receipt.request === 'rejected') return { request: 'rejected', code: receipt.code };
  const { duplicateOf, retention, handoffs } = receipt;
  return { request: 'accepted', duplicate: duplicateOf !== undefined, retention, handoffs };
}

/** A receipt as a list shows it. */
export function receiptSummary(receipt: Receipt): z.input<typeof ReceiptSummary> {
  const facts = factsOf(receipt);
  const accepted = receipt.request === 'accepted' ? receipt : undefined;
  return {
    receiptId: showId('receipt', receipt.id),
    outcome: outcomeOf(facts),
    receivedAt: receipt.at.toISOString(),
    eventId: accepted ? showId('event', accepted.id) : null,
    eventType: accepted?.eventType ?? null,
    requestId: receipt.request === 'rejected' ? receipt.requestId : null,
    ...checksOf(facts),
    rejectionCode: receipt.request === 'rejected' ? receipt.code : null,
    recoveryCode: recoveryCodeOf(facts) ?? null,
    retention: {
      state: accepted?.retention ?? 'never_kept',
      retainedUntil:
        accepted?.retention === 'retained' ? (accepted.retainedUntil?.toISOString() ?? null) : null,
      removedAt: accepted?.payloadRemoved?.at.toISOString() ?? null,
      removedFor: accepted?.payloadRemoved?.why ?? null,
    },
    replay: availabilityView(replayAvailability(facts)),
    firstReceiptId: firstReceiptOf(receipt),
    handoffBoundary: HANDOFF_BOUNDARY,
  };
}

/** A receipt with its handoffs, replays and timeline. */
export function receiptView(receipt: Receipt, parts: ReceiptParts): z.input<typeof ReceiptView> {
  const facts = factsOf(receipt);
  return {
    ...receiptSummary(receipt),
    handoffs: parts.handoffs.slice(0, SHOWN.handoffs).map((handoff) => handoffView(facts, handoff)),
    moreHandoffs: parts.handoffs.length > SHOWN.handoffs,
    replays: parts.replays.slice(0, SHOWN.replays).map(({ id, state, actor, operationId }) => ({
      replayId: showId('receiptReplay', id),
      state,
      actor,
      operationId: operationId ? showId('operation', operationId) : null,
    })),
    timeline: timelineOf(receipt, parts),
    moreTimeline: parts.steps.length > SHOWN.steps,
  };
}

function handoffView(facts: ReceiptFacts, handoff: Handoff): z.input<typeof ReceiptView>['handoffs'][number] {
  const status = handoffStatus(handoff);
  const retention = facts.request === 'accepted' ? facts.retention : 'never_kept';
  return {
    deliveryId: showId('delivery', handoff.deliveryId),
    status,
    meaning: MEANINGS[status],
    recoveryCode: handoffRecoveryCode(handoff, retention) ?? null,
    replay: availabilityView(handoffAvailability(facts, handoff)),
    endpointAtAcceptance: snapshotView(handoff.snapshot),
    requests: handoff.attempts,
    lastRequestAt: handoff.lastAttemptAt?.toISOString() ?? null,
    statusCode: handoff.httpStatus ?? null,
    faultCode: (handoff.faultCode as z.input<typeof ReceiptView>['handoffs'][number]['faultCode']) ?? null,
  };
}

/** An endpoint as it was, without what may be a credential. */
export function snapshotView(snapshot: EndpointSnapshot): z.input<typeof EndpointSnapshotView> {
  return {
    endpointId: showId('endpoint', snapshot.endpointId),
    handle: snapshot.handle,
    version: snapshot.version,
    url: publicUrl(snapshot.url),
    eventTypes: snapshot.eventTypes ?? null,
    hasFilter: snapshot.hasFilter,
  };
}

/** Whether something can be replayed. */
export function availabilityView(availability: ReplayAvailability): z.input<typeof ReplayAvailabilityView> {
  if (availability.available)
    return {
      available: true,
      refusal: null,
      reason: null,
      needsDuplicateRiskConfirmation: availability.needsDuplicateRiskConfirmation,
    };
  const { reason } = availability;
  return {
    available: false,
    refusal: refusalCode({ reason }),
    reason,
    needsDuplicateRiskConfirmation: false,
  };
}

/** What to do next. */
export function guidanceView({
  recommended,
  situation,
  why,
  explicitConfirmation,
}: Guidance): z.input<typeof GuidanceView> {
  return { recommended, situation: situation ?? null, why, explicitConfirmation };
}

/** The decision guide for a receipt. */
export function guideView(receipt: Receipt, guidance: Guidance): z.input<typeof GuideView> {
  return {
    receiptId: showId('receipt', receipt.id),
    outcome: outcomeOf(factsOf(receipt)),
    ...guidanceView(guidance),
    firstReceiptId: firstReceiptOf(receipt),
    paths: Object.entries(RECOVERY_SITUATIONS).map(([name, { situation, use, why }]) => ({
      situation: name as RecoverySituation,
      when: situation,
      use,
      why,
      applies: name === guidance.situation,
    })),
  };
}

function firstReceiptOf(receipt: Receipt): string | null {
  return receipt.request === 'accepted' && receipt.duplicateOf
    ? showId('receipt', receipt.duplicateOf)
    : null;
}

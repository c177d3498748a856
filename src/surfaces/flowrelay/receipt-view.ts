import type { z } from 'zod';
import { publicUrl } from '../../domain/endpoints/url.ts';
import { alias, type Id, showId } from '../../domain/tenancy/typed-id.ts';
import { meaningOf } from './domain/handoff-words.ts';
import type { Readiness, ReadinessReason } from './domain/plan-replay.ts';
import {
  checksOf,
  HANDOFF_BOUNDARY,
  handoffRecoveryCode,
  handoffStatus,
  outcomeOf,
  type ReceiptFacts,
  recoveryCodeOf,
} from './domain/receipt.ts';
import { type Guidance, RECOVERY_SITUATIONS, type RecoverySituation } from './domain/recovery-guide.ts';
import {
  decideHandoff,
  decideReplay,
  type ReplayDecision,
  type ReplayUsage,
} from './domain/replay-decision.ts';
import { refusalCode } from './domain/replay-refusal.ts';
import type { ResendFate } from './domain/sender-resend.ts';
import type {
  EndpointSnapshotView,
  GuidanceView,
  GuideView,
  ReceiptSummary,
  ReceiptView,
  ReplayAvailabilityView,
  ReplayReadinessView,
} from './receipt-schema.ts';
import { SHOWN, timelineOf } from './receipt-timeline.ts';
import { resultView } from './replay-result.ts';
import type { EndpointSnapshot, Handoff } from './store/handoffs.ts';
import type { ReceiptReplay } from './store/receipt-replays.ts';
import type { AcceptedReceipt, Receipt } from './store/receipts.ts';
import type { ReplayResult } from './store/replay-results.ts';
import type { TimelineStep } from './store/timeline.ts';

/** The facts that a receipt is shown with; of each list one more than is shown where there are more. */
export interface ReceiptParts {
  handoffs: Handoff[];
  steps: TimelineStep[];
  replays: ReceiptReplay[];
  results: ReplayResult[];
  usage: ReplayUsage;
  readiness: Readiness;
  senderResend: ResendFate;
}

/** The facts of a request by which the domain decides. */
export function factsOf(receipt: Receipt): ReceiptFacts {
  return receipt.request === 'rejected' ? { request: 'rejected', code: receipt.code } : receipt;
}

/** A receipt as a list shows it. */
export function receiptSummary(receipt: Receipt, usage: ReplayUsage): z.input<typeof ReceiptSummary> {
  const facts = factsOf(receipt);
  const accepted = receipt.request === 'accepted' ? receipt : undefined;
  return {
    receiptId: showId('receipt', receiptId(receipt)),
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
    replay: availabilityView(decideReplay(facts, usage)),
    firstReceiptId: firstReceiptId(accepted),
    resentReceiptId: receiptIdOf(accepted?.resentAs),
    handoffBoundary: HANDOFF_BOUNDARY,
  };
}

/** A receipt with its handoffs, replays and timeline. */
export function receiptView(receipt: Receipt, parts: ReceiptParts): z.input<typeof ReceiptView> {
  const summary = receiptSummary(receipt, parts.usage);
  return {
    ...summary,
    replay: readinessView(summary.replay, parts.readiness.whole),
    senderResend: parts.senderResend,
    handoffs:
      receipt.request === 'rejected'
        ? []
        : parts.handoffs.slice(0, SHOWN.handoffs).map((handoff) => handoffView(receipt, handoff, parts)),
    moreHandoffs: parts.handoffs.length > SHOWN.handoffs,
    replays: parts.replays.slice(0, SHOWN.replays).map(({ id, state, actor, operationId }) => ({
      replayId: showId('receiptReplay', id),
      state,
      actor,
      operationId: operationId ? showId('operation', operationId) : null,
      results:
        state === 'executed'
          ? parts.results.filter((result) => result.operationId === operationId).map(resultView)
          : null,
    })),
    timeline: timelineOf(receipt, parts.steps),
    moreTimeline: parts.steps.length > SHOWN.steps,
  };
}

function handoffView(
  receipt: AcceptedReceipt,
  handoff: Handoff,
  { usage, readiness }: ReceiptParts,
): z.input<typeof ReceiptView>['handoffs'][number] {
  return {
    deliveryId: showId('delivery', handoff.deliveryId),
    status: handoffStatus(handoff),
    meaning: meaningOf(handoff),
    recoveryCode: handoffRecoveryCode(handoff, receipt.retention) ?? null,
    replay: readinessView(
      availabilityView(decideHandoff(receipt, handoff, usage)),
      readiness.byEndpoint.get(handoff.snapshot.endpointId) ?? [],
    ),
    resentReceiptId: receiptIdOf(handoff.resentAs),
    endpointAtAcceptance: snapshotView(handoff.snapshot),
    requests: handoff.attempts,
    lastRequestAt: handoff.lastAttemptAt?.toISOString() ?? null,
    statusCode: handoff.httpStatus ?? null,
    faultCode: (handoff.faultCode as z.input<typeof ReceiptView>['handoffs'][number]['faultCode']) ?? null,
  };
}

/** An endpoint as it was, without the parts that may hold a credential. */
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
function availabilityView(decision: ReplayDecision): z.input<typeof ReplayAvailabilityView> {
  if (decision.possible)
    return {
      available: true,
      refusal: null,
      reason: null,
      needsDuplicateRiskConfirmation: decision.needsConfirmation,
      availableInSeconds: null,
    };
  const { refusal } = decision;
  return {
    available: false,
    refusal: refusalCode(refusal),
    reason: refusal.reason,
    needsDuplicateRiskConfirmation: false,
    availableInSeconds: refusal.retryAfterSeconds ?? null,
  };
}

/** The same, with the faults to correct first. */
function readinessView(
  availability: z.input<typeof ReplayAvailabilityView>,
  notReady: ReadinessReason[],
): z.input<typeof ReplayReadinessView> {
  return availability.available
    ? { ...availability, ready: notReady.length === 0, notReady }
    : { ...availability, ready: false, notReady: [] };
}

/** Shows the next step, and the reason. */
export function guidanceView({
  recommended,
  situation,
  why,
  explicitConfirmation,
}: Guidance): z.input<typeof GuidanceView> {
  return { recommended, situation: situation ?? null, why, explicitConfirmation };
}

/** The decision guide for a receipt. */
export function guideView(
  receipt: Receipt,
  guidance: Guidance,
  { usage, readiness, senderResend }: Pick<ReceiptParts, 'usage' | 'readiness' | 'senderResend'>,
): z.input<typeof GuideView> {
  const facts = factsOf(receipt);
  const accepted = receipt.request === 'accepted' ? receipt : undefined;
  return {
    receiptId: showId('receipt', receiptId(receipt)),
    outcome: outcomeOf(facts),
    ...guidanceView(guidance),
    firstReceiptId: firstReceiptId(accepted),
    standingReceiptId: accepted?.suppressed ? receiptIdOf(accepted.standingEventId) : null,
    resentReceiptId: receiptIdOf(accepted?.resentAs),
    replay: readinessView(availabilityView(decideReplay(facts, usage)), readiness.whole),
    senderResend,
    handoffBoundary: HANDOFF_BOUNDARY,
    paths: Object.entries(RECOVERY_SITUATIONS).map(([name, { situation, use, why }]) => ({
      situation: name as RecoverySituation,
      when: situation,
      use,
      why,
      applies: name === guidance.situation,
    })),
  };
}

/** The receipt that this one repeats, while it is there. */
function firstReceiptId(accepted: AcceptedReceipt | undefined): string | null {
  return receiptIdOf(accepted?.firstGone ? undefined : accepted?.duplicateOf);
}

function receiptIdOf(eventId: Id<'event'> | undefined): string | null {
  return eventId === undefined ? null : showId('receipt', alias('receipt', eventId));
}

function receiptId(receipt: Receipt): Id<'receipt'> {
  return receipt.request === 'accepted' ? alias('receipt', receipt.id) : receipt.id;
}

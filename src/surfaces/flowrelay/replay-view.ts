import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { Caller } from '../../api/authentication/caller.ts';
import { hasScope } from '../../domain/tenancy/scope.ts';
import { alias, showId } from '../../domain/tenancy/typed-id.ts';
import { RISK_WORDS } from './domain/handoff-words.ts';
import type { ReadinessReason } from './domain/plan-replay.ts';
import { HANDOFF_BOUNDARY } from './domain/receipt.ts';
import { snapshotView } from './receipt-view.ts';
import { resultView } from './replay-result.ts';
import type { PreviewView, ReplayView, ShownReplay } from './replay-schema.ts';
import type { PlannedReplay } from './replaying/plan-receipt-replay.ts';
import type { ReceiptReplay } from './store/receipt-replays.ts';
import type { ReplayResult } from './store/replay-results.ts';

/** The preview of a planned replay. */
export function previewView(
  { receipt, plan, usage }: PlannedReplay,
  { caller, key, requestId }: { caller: Caller; key: string; requestId: string },
): z.input<typeof PreviewView> {
  const mayReplay = hasScope(caller.scopes, 'replay:receipts');
  return {
    kind: plan.kind,
    event: {
      eventId: showId('event', receipt.id),
      eventType: receipt.eventType,
      acceptedAt: receipt.at.toISOString(),
    },
    targets: plan.targets.map(({ endpoint, handoff, notReady }) => ({
      deliveryId: handoff ? showId('delivery', handoff.deliveryId) : null,
      endpoint: snapshotView(endpoint),
      endpointState: endpoint.state,
      readiness: readiness(notReady),
    })),
    readiness: readiness(plan.notReady),
    sideEffects: {
      duplicateRisk: plan.duplicateRisk !== undefined,
      explanation: RISK_WORDS[plan.duplicateRisk ?? 'none'],
    },
    authority: {
      actor: caller.actor,
      grant: caller.grant ?? null,
      mayConfirm: mayReplay,
      mayExecute: mayReplay,
    },
    usage: { executedInLastDay: usage.executed, limit: usage.limit ?? null },
    idempotencyKeyDigest: createHash('sha256').update(key).digest('hex').slice(0, 16),
    audit: { actor: caller.actor, requestId },
  };
}

/** A replay as it is now. */
export function replayView(replay: ReceiptReplay): z.input<typeof ReplayView> {
  return {
    replayId: showId('receiptReplay', replay.id),
    receiptId: showId('receipt', alias('receipt', replay.eventId)),
    state: replay.state,
    preview: replay.preview as z.input<typeof PreviewView>,
    confirmDuplicateRiskRequired: replay.duplicateRisk,
    duplicateRiskConfirmed: replay.duplicateRiskConfirmed,
    previewedAt: replay.createdAt.toISOString(),
    previewValidUntil: replay.expiresAt.toISOString(),
    confirmedAt: replay.confirmedAt?.toISOString() ?? null,
    executedAt: replay.executedAt?.toISOString() ?? null,
    operationId: replay.operationId ? showId('operation', replay.operationId) : null,
    handoffBoundary: HANDOFF_BOUNDARY,
  };
}

function readiness(reasons: ReadinessReason[]): z.input<typeof PreviewView>['readiness'] {
  return { ready: reasons.length === 0, reasons };
}

/** A replay as it is now, with its results. */
export function shownReplay(replay: ReceiptReplay, results: ReplayResult[]): z.input<typeof ShownReplay> {
  return {
    ...replayView(replay),
    results: replay.state === 'executed' ? results.map(resultView) : null,
  };
}

import type { z } from 'zod';
import { showId } from '../../domain/tenancy/typed-id.ts';
import type { ReceiptView } from './receipt-schema.ts';
import type { Receipt } from './store/receipts.ts';
import type { TimelineStep } from './store/timeline.ts';

/** How many of each a receipt shows. */
export const SHOWN = { handoffs: 200, steps: 500, replays: 50 } as const;

type Entry = z.input<typeof ReceiptView>['timeline'][number];

const ATTEMPT_EVENTS: Record<string, Entry['event']> = {
  delivered: 'accepted_by_endpoint',
  ambiguous: 'handoff_uncertain',
  unsent: 'handoff_not_sent',
};

const REPLAY_EVENTS = {
  previewed: 'replay_previewed',
  confirmed: 'replay_confirmed',
  executed: 'replay_executed',
} as const;

/** The timeline, oldest first; of the steps only the newest. */
export function timelineOf(receipt: Receipt, steps: readonly TimelineStep[]): Entry[] {
  const entry = (at: Date, event: Entry['event'], more: Partial<Entry> = {}): Entry => ({
    at: at.toISOString(),
    event,
    deliveryId: null,
    replayId: null,
    statusCode: null,
    code: null,
    ...more,
  });
  if (receipt.request === 'rejected') return [entry(receipt.at, 'rejected', { code: receipt.code })];
  const shown = steps.slice(-SHOWN.steps).map(({ at, deliveryId, replayId, step }) => {
    const about = {
      deliveryId: deliveryId ? showId('delivery', deliveryId) : null,
      replayId: replayId ? showId('receiptReplay', replayId) : null,
    };
    switch (step.what) {
      case 'attempted':
        return entry(at, attemptEvent(step), {
          ...about,
          statusCode: step.httpStatus ?? null,
          code: step.faultCode ?? null,
        });
      case 'ended':
        return entry(at, 'handoff_ended', { ...about, code: step.reason ?? step.state });
      default:
        return entry(at, REPLAY_EVENTS[step.what], about);
    }
  });
  const begun = [
    entry(receipt.at, 'accepted'),
    ...(receipt.suppressed ? [entry(receipt.at, 'duplicate_suppressed')] : []),
  ];
  const { payloadRemoved } = receipt;
  if (!payloadRemoved) return [...begun, ...shown];
  const removed = entry(payloadRemoved.at, 'payload_removed', { code: payloadRemoved.why });
  const before = shown.filter(({ at }) => at <= removed.at);
  return [...begun, ...before, removed, ...shown.slice(before.length)];
}

/**
 * The event of an attempt: an answer 4xx or 3xx is a refusal, a 5xx may come after the work has begun, whatever else was
 * made of it, as by an import; and without an answer nothing was handed off.
 */
function attemptEvent({
  outcome,
  httpStatus,
}: Extract<TimelineStep['step'], { what: 'attempted' }>): Entry['event'] {
  const told = ATTEMPT_EVENTS[outcome];
  if (told && (httpStatus === undefined || httpStatus < 300)) return told;
  if (httpStatus === undefined) return 'handoff_not_sent';
  return httpStatus >= 500 ? 'failed_at_endpoint' : 'refused_by_endpoint';
}

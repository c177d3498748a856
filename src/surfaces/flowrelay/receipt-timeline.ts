import type { z } from 'zod';
import { showId } from '../../domain/tenancy/typed-id.ts';
import type { ReceiptView } from './receipt-schema.ts';
import type { Handoff, HandoffStep } from './store/handoffs.ts';
import type { ReceiptReplay } from './store/receipt-replays.ts';
import type { Receipt } from './store/receipts.ts';

/** What a receipt is shown with, beside itself; of each list one more than is shown where there are more. */
export interface ReceiptParts {
  handoffs: Handoff[];
  steps: HandoffStep[];
  replays: ReceiptReplay[];
}

/** How many of each a receipt shows. */
export const SHOWN = { handoffs: 200, steps: 500, replays: 50 } as const;

type Entry = z.input<typeof ReceiptView>['timeline'][number];

const ATTEMPT_EVENTS: Record<string, Entry['event']> = {
  delivered: 'accepted_by_endpoint',
  ambiguous: 'handoff_uncertain',
  unsent: 'handoff_not_sent',
};

/** What happened, oldest first. */
export function timelineOf(receipt: Receipt, { steps, replays }: ReceiptParts): Entry[] {
  const none = { deliveryId: null, replayId: null, statusCode: null, code: null };
  const entry = (at: Date, event: Entry['event'], more: Partial<Entry> = {}): Entry => ({
    at: at.toISOString(),
    event,
    ...none,
    ...more,
  });
  if (receipt.request === 'rejected') return [entry(receipt.at, 'rejected', { code: receipt.code })];
  const shown = steps.slice(-SHOWN.steps).map(({ at, deliveryId, step }) => {
    const about = { deliveryId: showId('delivery', deliveryId) };
    return step.what === 'attempted'
      ? entry(at, ATTEMPT_EVENTS[step.outcome] ?? 'refused_by_endpoint', {
          ...about,
          statusCode: step.httpStatus ?? null,
          code: step.faultCode ?? null,
        })
      : entry(at, 'handoff_ended', { ...about, code: step.reason ?? step.state });
  });
  const replayed = replays.flatMap(({ id, createdAt, confirmedAt, executedAt }) => {
    const about = { replayId: showId('receiptReplay', id) };
    return [
      entry(createdAt, 'replay_previewed', about),
      ...(confirmedAt ? [entry(confirmedAt, 'replay_confirmed', about)] : []),
      ...(executedAt ? [entry(executedAt, 'replay_executed', about)] : []),
    ];
  });
  const { payloadRemoved } = receipt;
  const entries = [
    ...(receipt.duplicateOf ? [entry(receipt.at, 'duplicate_suppressed')] : []),
    ...shown,
    ...replayed,
    ...(payloadRemoved ? [entry(payloadRemoved.at, 'payload_removed', { code: payloadRemoved.why })] : []),
  ];
  return [entry(receipt.at, 'accepted'), ...entries.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))];
}

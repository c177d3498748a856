import { z } from 'zod';
import { showId } from '../../domain/tenancy/typed-id.ts';
import type { AcceptedItem } from '../../operations/accept-operation.ts';

const STATUSES = ['queued', 'delivered', 'expired', 'dropped'] as const;

type Status = (typeof STATUSES)[number];

const status = z.enum(STATUSES).meta({
  description:
    '`queued`: it will be sent, by this retry or by one that is under way; `delivered`: it is already; `expired`: its payload is no longer retained; `dropped`: it was not meant to be sent.',
  example: 'queued',
});

/** The answer to a single retry. */
export const EventRetried = z
  .strictObject({
    status,
    delivery_id: z
      .string()
      .meta({ description: 'The delivery; the oldest of them.', example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    message: z.string().meta({ description: 'What was done.', example: 'Retry initiated' }),
  })
  .meta({ id: 'ZenRetry' });

/** The answer to a batch. */
export const BatchRetried = z
  .strictObject({
    queued: z.int().meta({ description: 'Deliveries whose status is `queued`.', example: 2 }),
    deliveries: z
      .array(
        z.strictObject({
          delivery_id: z.string().meta({
            description: 'The delivery, as it was spelled.',
            example: 'del_01k9z3e5hbe7r9qk2m4n6p8r0s',
          }),
          status,
        }),
      )
      .meta({ description: 'What became of each, in the order they were named.' }),
  })
  .meta({ id: 'ZenBatchRetry' });

const MESSAGES: Record<Status, string> = {
  queued: 'Retry initiated',
  delivered: 'Already delivered',
  expired: 'Payload no longer retained',
  dropped: 'Dropped, not retried',
};

/**
 * One answer for all deliveries of an event: what this retry sends, else what is under way, else what cannot be sent any
 * more, else that all is delivered. `oldest` is told of where all were dropped only a moment ago.
 */
export function eventAnswer(items: readonly AcceptedItem[], oldest: string): z.input<typeof EventRetried> {
  const answer = (of: Status, ids: string[]) => ({
    status: of,
    delivery_id: showId('delivery', ids.sort()[0] ?? oldest),
    message:
      of === 'queued' && ids.length > 1 ? `Retry initiated for ${ids.length} deliveries` : MESSAGES[of],
  });
  const idsOf = (list: readonly AcceptedItem[]) => list.map(({ deliveryId }) => deliveryId);
  const affected = items.filter(({ became }) => became !== 'excluded');
  if (affected.length > 0) return answer('queued', idsOf(affected));
  const joined = idsOf(items.filter((item) => statusOf(item) === 'queued'));
  if (joined.length > 0) return answer('queued', joined.sort().slice(0, 1));
  const found = (['expired', 'delivered'] as const).find((of) => items.some((item) => statusOf(item) === of));
  return answer(found ?? 'dropped', idsOf(items.filter((item) => statusOf(item) === found)));
}

/** The answer to a batch: what was selected by none was dropped. */
export function batchAnswer(
  spelled: ReadonlyMap<string, string>,
  items: readonly AcceptedItem[],
): z.input<typeof BatchRetried> {
  const became = new Map(items.map((item) => [item.deliveryId, statusOf(item)]));
  const deliveries = [...spelled].map(([id, text]) => ({
    delivery_id: text,
    status: became.get(id) ?? 'dropped',
  }));
  return { queued: deliveries.filter((each) => each.status === 'queued').length, deliveries };
}

/** What is under way already is answered like what is queued now. */
function statusOf(item: AcceptedItem): Status {
  if (item.became !== 'excluded') return 'queued';
  switch (item.reason) {
    case 'coalesced':
    case 'held':
    case 'changed_since':
      return 'queued';
    case 'already_delivered':
      return 'delivered';
    case 'payload_expired':
      return 'expired';
    case 'outcome_unknown':
    case 'endpoint_disabled':
    case 'endpoint_deleted':
    case 'suppressed_duplicate':
    case 'resent':
    case 'no_longer_matches':
    case 'already_retried':
    case 'not_retryable':
      return 'dropped';
  }
}

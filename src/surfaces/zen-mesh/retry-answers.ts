import { z } from 'zod';
import type { AcceptedItem } from '../../domain/operations/accepted-item.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import { retryWords } from '../../domain/operations/retry-words.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';

/** In the order in which they are told where deliveries of one event differ. */
const STATUSES = ['queued', 'expired', 'dropped', 'delivered'] as const;

type Status = (typeof STATUSES)[number];

const status = z.enum(STATUSES).meta({
  description:
    '`queued`: it will be sent, by this retry or by one that is under way; `delivered`: it is already; `expired`: its payload is no longer retained; `dropped`: nothing is sent before somebody does something about it, or it was not meant to be sent.',
  example: 'queued',
});

/** The answer to a single retry. */
export const EventRetried = z
  .strictObject({
    status,
    delivery_id: z
      .string()
      .meta({ description: 'The delivery; the oldest of them.', example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    message: z.string().meta({
      description: 'The result, or why nothing is sent and the next call.',
      example: 'Retry initiated',
    }),
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
      .meta({ description: 'The status of each, in the order they were named.' }),
  })
  .meta({ id: 'ZenBatchRetry' });

/**
 * One answer for all deliveries of an event: those that this retry sends, else those that are under way, else why
 * nothing is sent and the next call, else that all are delivered. Deliveries that are left out while others are sent
 * are named at the end. Where all were dropped only a moment ago, the answer tells of `oldest`.
 */
export function eventAnswer(
  items: readonly AcceptedItem[],
  oldest: Id<'delivery'>,
  operation: Held,
): z.input<typeof EventRetried> {
  const isHeld = operation.state === 'awaiting_approval';
  const found = STATUSES.find((of) => items.some((item) => statusOf(item, isHeld) === of)) ?? 'dropped';
  const sent = items.filter(({ became }) => became === 'queued' || became === 'scheduled');
  const told = sent.length > 0 ? sent : items.filter((item) => statusOf(item, isHeld) === found);
  return {
    status: found,
    delivery_id: showId('delivery', told.map(({ deliveryId }) => deliveryId).sort()[0] ?? oldest),
    message: isHeld && sent.length > 0 ? heldMessage(operation) : messageOf(found, items, sent.length),
  };
}

/** The operation that was accepted; one that a policy holds sends nothing before somebody has said so. */
type Held = Pick<Operation, 'id' | 'state'>;

function heldMessage({ id }: Held): string {
  const path = `/api/v1/retries/${showId('operation', id)}`;
  return `Not sent before it is approved: GET ${path} says what it waits for, POST ${path}/approve approves it.`;
}

function messageOf(status: Status, items: readonly AcceptedItem[], sent: number): string {
  const left = items.filter(isLeftOut);
  switch (status) {
    case 'delivered':
      return 'Already delivered';
    case 'queued': {
      const initiated = sent > 1 ? `Retry initiated for ${sent} deliveries` : 'Retry initiated';
      return left.length === 0 ? initiated : `${initiated}. Not sent: ${reasonsOf(left)}`;
    }
    default: {
      const [only] = items;
      if (items.length === 1 && only && isLeftOut(only)) return sentencesOf(only);
      return left.length === 0 ? 'Dropped, not retried' : `Not sent: ${reasonsOf(left)}`;
    }
  }
}

type Excluded = Extract<AcceptedItem, { became: 'excluded' }>;

/** Whether it is neither sent nor delivered. */
function isLeftOut(item: AcceptedItem): item is Excluded {
  return item.became === 'excluded' && ['expired', 'dropped'].includes(statusOf(item));
}

/** Each reason once, with the oldest delivery it holds for. */
function reasonsOf(left: readonly Excluded[]): string {
  return [...new Set(left.map(({ reason }) => reason))]
    .flatMap((reason) => {
      const those = left.filter((item) => item.reason === reason);
      const [first] = those.toSorted((a, b) => (a.deliveryId < b.deliveryId ? -1 : 1));
      if (!first) return [];
      const id = showId('delivery', first.deliveryId);
      const which = those.length === 1 ? id : `${those.length} deliveries, the oldest ${id}`;
      return `${which}. ${sentencesOf(first)}`;
    })
    .join(' ');
}

function sentencesOf({ reason, deliveryId, endpointId, heldBy, resentBy }: Excluded): string {
  const { why, next } = retryWords(reason, {
    deliveryId: showId('delivery', deliveryId),
    endpointId: showId('endpoint', endpointId),
    ...(heldBy === undefined ? {} : { heldBy: showId('operation', heldBy) }),
    ...(resentBy === undefined ? {} : { resentBy: showId('delivery', resentBy) }),
  });
  return `${why} ${next}`;
}

/** The answer to a batch: a delivery that was not selected was dropped. */
export function batchAnswer(
  spelled: ReadonlyMap<Id<'delivery'>, string>,
  items: readonly AcceptedItem[],
  { state }: Held,
): z.input<typeof BatchRetried> {
  const isHeld = state === 'awaiting_approval';
  const became = new Map(items.map((item) => [item.deliveryId, statusOf(item, isHeld)]));
  const deliveries = [...spelled].map(([id, text]) => ({
    delivery_id: text,
    status: became.get(id) ?? 'dropped',
  }));
  return { queued: deliveries.filter((each) => each.status === 'queued').length, deliveries };
}

/**
 * A delivery that somebody sends without being asked again is answered like one that is queued now; no other is, nor one
 * that has to be approved first.
 */
function statusOf(item: AcceptedItem, isHeld = false): Status {
  if (item.became === 'ignored') return 'dropped';
  if (item.became !== 'excluded') return isHeld ? 'dropped' : 'queued';
  switch (item.reason) {
    case 'coalesced':
      return 'queued';
    case 'already_delivered':
      return 'delivered';
    case 'payload_expired':
      return 'expired';
    default:
      return 'dropped';
  }
}

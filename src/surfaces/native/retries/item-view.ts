import { z } from 'zod';
import type { AcceptedItem } from '../../../domain/operations/accepted-item.ts';
import type { OperationItem } from '../../../domain/operations/operation-item.ts';
import { EXCLUSION_REASONS } from '../../../domain/operations/selection.ts';
import { ledgerLine, shownReason } from '../../../domain/proof/ledger-line.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { shownId, shownTime } from '../fields.ts';
import { waitsField, waitsView } from '../waits.ts';

const deliveryId = shownId('delivery', 'The delivery.');
const newDeliveryId = shownId(
  'delivery',
  'The delivery that is sent in its place, under a new identity; only of a replay with `newIdentity`.',
).optional();
const reason = z.enum(EXCLUSION_REASONS).meta({ description: 'Why it was not run.', example: 'coalesced' });
const why = z.string().meta({
  description: 'The reason as a sentence.',
  example: 'Another execution of it is open and will be sent.',
});
const next = z.string().meta({
  description: 'The next call, as a sentence.',
  example: 'Nothing is to be done; `GET` the execution that is named to follow it.',
});
const joinedExecutionId = shownId(
  'execution',
  'The execution that owns the delivery: it was joined, is held, or its outcome is not known.',
);
const resentBy = shownId(
  'delivery',
  'The delivery that stands for it since its sender sent the event again.',
);
const heldBy = shownId('operation', 'The stopped operation that holds it.');

const event = {
  eventId: shownId('event', 'The event it delivers.'),
  externalId: z
    .string()
    .nullable()
    .meta({ description: 'Your id of the event.', example: 'inv-2026-000123' }),
  eventType: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
  key: z.string().nullable().meta({ description: 'The subject of the event.', example: 'account-42' }),
};

/** One line of an operation's ledger. */
export const ItemView = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('item').meta({ description: 'An execution that the operation made.', example: 'item' }),
      executionId: shownId('execution', 'The execution.'),
      deliveryId,
      newDeliveryId,
      endpointId: shownId('endpoint', 'The endpoint it is for.'),
      ...event,
      state: z.enum(EXECUTION_STATES).meta({ description: 'State of the execution.', example: 'delivered' }),
      reason: z.string().nullable().meta({ description: 'Why it ended as it did.', example: null }),
      attempts: z.int().meta({ description: 'HTTP requests of this execution.', example: 1 }),
      dueAt: shownTime('When it is, or was, due.'),
      mayHaveArrived: z.boolean().meta({
        description: 'An attempt whose outcome is not known is among its attempts.',
        example: false,
      }),
      faultCode: z
        .string()
        .nullable()
        .meta({ description: 'Why the last attempt did not deliver.', example: null }),
      httpStatus: z.int().nullable().meta({ description: 'Status of the last answer.', example: 200 }),
      tookOver: shownId('execution', 'The execution that this one took over.').nullable(),
      supersededBy: shownId('execution', 'The execution that took this one over.').nullable(),
      finishedAt: shownTime('When it ended.').nullable(),
      waitingFor: waitsField('The reasons why it waits, where it is queued or scheduled.'),
    }),
    z.strictObject({
      kind: z
        .literal('exclusion')
        .meta({ description: 'A delivery that was selected but not run.', example: 'exclusion' }),
      deliveryId,
      endpointId: shownId('endpoint', 'The endpoint it is for.'),
      ...event,
      reason,
      why,
      next,
      joinedExecutionId: joinedExecutionId.nullable(),
      resentBy: resentBy.nullable(),
      heldBy: heldBy.nullable(),
      createdAt: shownTime('When it was excluded.'),
    }),
  ])
  .meta({ id: 'OperationItem', description: 'One line of the ledger of an operation.' });

/** The fate of one delivery of an explicit list. */
export const AcceptedItemView = z
  .discriminatedUnion('became', [
    z.strictObject({
      deliveryId,
      newDeliveryId,
      became: z.enum(['queued', 'scheduled', 'ignored']).meta({
        description: 'It is an item of the operation; `ignored` is one that can send nothing.',
        example: 'queued',
      }),
      executionId: shownId('execution', 'The execution that runs it.'),
      supersededExecutionId: shownId('execution', 'The execution it took over.').optional(),
    }),
    z.strictObject({
      deliveryId,
      became: z.literal('excluded').meta({ description: 'It is not run.', example: 'excluded' }),
      reason,
      why,
      next,
      joinedExecutionId: joinedExecutionId.optional(),
      resentBy: resentBy.optional(),
      heldBy: heldBy.optional(),
    }),
  ])
  .meta({ id: 'AcceptedItem', description: 'The fate of one delivery of an explicit list.' });

/** Shows a line of a ledger as it is at present. */
export function itemView(item: OperationItem): z.input<typeof ItemView> {
  const line = ledgerLine(item);
  return line.kind === 'item' && item.kind === 'item'
    ? { ...line, waitingFor: waitsView(item.waitingFor) }
    : line;
}

/** Shows the fate of a delivery. */
export function acceptedItemView(item: AcceptedItem): z.input<typeof AcceptedItemView> {
  const deliveryId = showId('delivery', item.deliveryId);
  if (item.became === 'excluded')
    return {
      deliveryId,
      became: 'excluded',
      ...shownReason(item),
      ...(item.joinedExecutionId ? { joinedExecutionId: showId('execution', item.joinedExecutionId) } : {}),
      ...(item.resentBy ? { resentBy: showId('delivery', item.resentBy) } : {}),
      ...(item.heldBy ? { heldBy: showId('operation', item.heldBy) } : {}),
    };
  return {
    deliveryId,
    ...(item.newDeliveryId ? { newDeliveryId: showId('delivery', item.newDeliveryId) } : {}),
    became: item.became,
    executionId: showId('execution', item.executionId),
    ...(item.supersededExecutionId
      ? { supersededExecutionId: showId('execution', item.supersededExecutionId) }
      : {}),
  };
}

import { z } from 'zod';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import type { Event, EventDelivery, ListedEvent } from '../../../store/reading/event-reads.ts';
import { shownId, shownTime } from '../fields.ts';

/** An event for more endpoints than this shows the others in the list of deliveries. */
export const MAX_SHOWN_DELIVERIES = 1_000;

/** An event as it is shown. */
export const EventView = z
  .strictObject({
    id: shownId('event', 'Id of the event.'),
    number: z.int().meta({ description: 'Its number within the tenant.', example: 1 }),
    externalId: z.string().nullable().meta({ description: 'Your id of it.', example: 'inv-2026-000123' }),
    duplicateOf: shownId(
      'event',
      'The first event with the same external id, type and source. This one is sent only where that one cannot be.',
    ).nullable(),
    resentAs: shownId(
      'event',
      'The newest event with the same external id, type and source that was accepted later and is sent: it stands for this one.',
    ).nullable(),
    type: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
    source: z.string().nullable().meta({ description: 'Where it comes from.', example: 'billing' }),
    key: z.string().nullable().meta({ description: 'The subject of the event.', example: 'account-42' }),
    occurredAt: shownTime('When it happened, by your clock.').nullable(),
    acceptedAt: shownTime('When it was accepted.'),
    ingestionBatchId: z
      .string()
      .nullable()
      .meta({ description: 'Your name for its batch.', example: 'import-7' }),
    importId: shownId('import', 'The import that brought it from another system.').nullable(),
    dispatchBatchId: z.uuid().meta({
      description: 'The batch that its first deliveries were dispatched in: the call that brought it.',
      example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
    }),
    payloadBytes: z.int().meta({ description: 'Length of the payload in bytes.', example: 512 }),
    payloadKept: z.boolean().meta({
      description:
        'False once the payload has expired or was erased, and for suppressed repeats, which keep none.',
      example: true,
    }),
    deliveries: z
      .array(
        z.strictObject({
          id: shownId('delivery', 'Id of the delivery.'),
          endpointId: shownId('endpoint', 'The endpoint it is for.'),
          state: z
            .enum(DELIVERY_STATES)
            .meta({ description: 'State of the delivery.', example: 'delivered' }),
        }),
      )
      .meta({ description: `Its deliveries, the first ${MAX_SHOWN_DELIVERIES} of them.` }),
    importMembers: z
      .unknown()
      .optional()
      .meta({
        description:
          'The members of the imported line that its format does not know; only where the payload was asked for.',
        example: { tags: ['billing'] },
      }),
    payload: z
      .unknown()
      .optional()
      .meta({
        description: 'The payload byte for byte as it was accepted; only where it was asked for and is kept.',
        example: { amount: 100, currency: 'EUR' },
      }),
  })
  .meta({ id: 'Event', description: 'An event that was accepted.' });

/** An event in a list. */
export const EventSummary = EventView.omit({ deliveries: true, payload: true, importMembers: true })
  .extend({
    deliveries: z
      .record(z.string(), z.int())
      .meta({ description: 'How many deliveries of it are in each state.', example: { delivered: 2 } }),
  })
  .meta({ id: 'EventSummary', description: 'An event that was accepted, in a list.' });

/** Shows an event in a list. */
export function eventSummary({ deliveries, ...event }: ListedEvent): z.input<typeof EventSummary> {
  return { ...factsOf(event), deliveries };
}

/** Shows an event. */
export function eventView(event: Event, deliveries: EventDelivery[]): z.input<typeof EventView> {
  return {
    ...factsOf(event),
    deliveries: deliveries.map(({ id, endpointId, state }) => ({
      id: showId('delivery', id),
      endpointId: showId('endpoint', endpointId),
      state,
    })),
  };
}

function factsOf(event: Event): Omit<z.input<typeof EventView>, 'deliveries' | 'payload' | 'importMembers'> {
  return {
    id: showId('event', event.id),
    number: event.number,
    externalId: event.externalId ?? null,
    duplicateOf: event.duplicateOf ? showId('event', event.duplicateOf) : null,
    resentAs: event.resentAs ? showId('event', event.resentAs) : null,
    type: event.type,
    source: event.source ?? null,
    key: event.key ?? null,
    occurredAt: event.occurredAt?.toISOString() ?? null,
    acceptedAt: event.acceptedAt.toISOString(),
    ingestionBatchId: event.ingestionBatchId ?? null,
    importId: event.importId ? showId('import', event.importId) : null,
    dispatchBatchId: event.ingestCallId,
    payloadBytes: event.payloadBytes,
    payloadKept: event.payloadKept,
  };
}

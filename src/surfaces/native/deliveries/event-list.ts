import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem } from '../../../api/problems/problem.ts';
import { idForm, MICROS_FORM, readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { type EventFilter, listEvents } from '../../../store/reading/event-reads.ts';
import { textField, timeField } from '../fields.ts';
import { listParameter, pageFrom, pageOf, pageParameters } from '../page.ts';
import { refuseReversedRanges } from './delivery-filter.ts';
import { EventSummary, eventSummary } from './event-view.ts';

const query = z
  .strictObject({
    eventTypes: listParameter(
      textField(255, 'A type of event, exactly.', 'invoice.paid'),
      'Types of event, exactly; all where left out.',
    ),
    sources: listParameter(
      textField(255, 'A source of events.', 'billing'),
      'Sources of events; all where left out.',
    ),
    ingestionBatchIds: listParameter(
      textField(255, 'A batch of events, as it was named on ingest.', 'import-7'),
      'Batches as they were named on ingest.',
    ),
    key: textField(255, 'The subject of the event.', 'account-42').optional(),
    from: timeField('Accepted at this time or later.').optional(),
    to: timeField('Accepted before this time.').optional(),
    ...pageParameters,
  })
  .superRefine(refuseReversedRanges);

/** The list of events. */
export function eventListRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/events',
      summary: 'List events, newest first',
      description: 'Each with the states of its deliveries, and without its payload.',
      tag: 'Events',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: { query },
      responses: { 200: { description: 'A page of events.', schema: pageOf(EventSummary) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor, ...asked }, tenant }) {
        const filter = filterOf(asked);
        const listed = ['events', tenant.id, filter];
        const position =
          cursor === undefined ? undefined : readCursor(listed, cursor, [MICROS_FORM, idForm('event')]);
        if (position && isProblem(position)) return position;
        const rows = await listEvents(pool, tenant.id, filter, {
          limit: limit + 1,
          ...(position ? { after: { acceptedAtMicros: position[0], id: position[1] } } : {}),
        });
        return {
          status: 200,
          body: pageFrom(
            rows,
            limit,
            listed,
            ({ acceptedAtMicros, id }) => [acceptedAtMicros, id],
            (event) => eventSummary(event),
          ),
        };
      },
    }),
  ];
}

function filterOf({ from, to, ...lists }: Omit<z.output<typeof query>, 'limit' | 'cursor'>): EventFilter {
  return {
    ...(lists.eventTypes ? { eventTypes: lists.eventTypes } : {}),
    ...(lists.sources ? { sources: lists.sources } : {}),
    ...(lists.ingestionBatchIds ? { ingestionBatchIds: lists.ingestionBatchIds } : {}),
    ...(lists.key === undefined ? {} : { key: lists.key }),
    ...(from === undefined ? {} : { from: { at: from, inclusive: true } }),
    ...(to === undefined ? {} : { to: { at: to, inclusive: false } }),
  };
}

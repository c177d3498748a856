import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { idForm, MICROS_FORM, readCursor, writeCursor } from '../../api/requests/cursor.ts';
import { type Route, route } from '../../api/route.ts';
import { DELIVERY_STATES } from '../../domain/sending/delivery-state.ts';
import { shownTime } from '../native/fields.ts';
import { type Dispatch, listDispatches } from './dispatch-reads.ts';
import { DispatchStatusField, dispatchStatus, withStatus } from './dispatch-status.ts';
import {
  BATCH_MEMBERS,
  EVENT_MEMBERS,
  idsOf,
  PATH_IDS,
  PREFIX,
  refuseReversedRange,
  selectedEvents,
  uuidsIn,
} from './fields.ts';
import { jsonAnswer } from './json-answer.ts';
import { errorResponses } from './standard-error.ts';

/** The most events of one answer. */
const MAX_EVENTS = 1_000;
const PATH = `${PREFIX}/{institutionId}/events/{subscriptionId}`;

const EventView = z
  .strictObject({
    eventId: z
      .uuid()
      .meta({ description: 'Id of the event.', example: '550e8400-e29b-41d4-a716-446655440000' }),
    eventNum: z.string().meta({ description: 'Its number within the institution.', example: '1001' }),
    eventType: z.string().meta({ description: 'Its type.', example: 'account.opened' }),
    eventSource: z
      .string()
      .nullable()
      .meta({ description: 'Where it comes from.', example: 'core-banking-system' }),
    eventTime: shownTime('When it was accepted; fromTime and toTime are compared with it.'),
    ingestionBatchId: z
      .string()
      .nullable()
      .meta({ description: 'The batch it was ingested with.', example: 'ingestion-batch-001' }),
    dispatchBatchId: z.uuid().meta({
      description: 'The batch that it was dispatched in last: the retryId of a retry, or its ingest call.',
      example: '550e8400-e29b-41d4-a716-446655440000',
    }),
    dispatchStatus: DispatchStatusField,
    attempts: z.int().meta({ description: 'Requests to the subscription so far.', example: 3 }),
    lastAttemptTime: shownTime('When the last one began.').nullable(),
  })
  .meta({ id: 'JackHenryEvent', description: 'An event as far as one subscription has to do with it.' });

const events = z
  .array(EventView)
  .meta({ description: `Events of the subscription, newest first, ${MAX_EVENTS} at most.` });

const SearchRequest = z
  .strictObject({
    ...EVENT_MEMBERS,
    ...BATCH_MEMBERS,
    dispatchStatus: z
      .array(DispatchStatusField)
      .optional()
      .meta({ description: 'Filter by dispatch status', example: ['failed', 'pending'] }),
    pageSize: z
      .int()
      .min(1)
      .max(MAX_EVENTS)
      .default(100)
      .meta({ description: 'Events of the page at most.', example: 100 }),
    pageToken: z.string().max(1_000).optional().meta({
      description: '`nextPageToken` of the page before, with the same filter.',
      example: 'WyI1dW1…',
    }),
  })
  .superRefine(refuseReversedRange)
  .meta({ id: 'JackHenryEventSearchRequest' });

const SearchResponse = z
  .strictObject({
    events,
    nextPageToken: z
      .string()
      .nullable()
      .meta({ description: 'Where the next page begins; null on the last one.', example: 'WyI1dW1…' }),
  })
  .meta({ id: 'JackHenryEventSearchResponse' });

/** The events of a subscription: listed and searched. An unknown subscription has none. */
export function dispatchRoutes({ pool }: ApiDeps): Route[] {
  const read = {
    tag: 'Jack Henry Modern Eventing',
    access: { of: 'tenant', scope: 'read:deliveries' },
  } as const;
  const { institutionId, subscriptionId } = PATH_IDS;
  const params = z.strictObject({ institutionId, subscriptionId });
  return [
    route({
      ...read,
      method: 'get',
      path: PATH,
      summary: 'List the events of a subscription',
      request: { params },
      responses: {
        200: {
          description: 'The newest events.',
          schema: z.strictObject({ events }).meta({ id: 'JackHenryEvents' }),
        },
        ...errorResponses(400, 401, 403, 500),
      },
      async handler({ params: spelled, tenant }) {
        const ids = idsOf(spelled);
        if (isProblem(ids)) return ids;
        const all = { state: [...DELIVERY_STATES] };
        const rows = await listDispatches(pool, tenant.id, ids.subscriptionId, all, { limit: MAX_EVENTS });
        return jsonAnswer({ events: rows.map(view) });
      },
    }),
    route({
      ...read,
      method: 'post',
      path: `${PATH}/search`,
      takesTurn: true,
      summary: 'Search the events of a subscription',
      request: { params, body: SearchRequest },
      bodyOptional: true,
      responses: {
        200: { description: 'A page of events, newest first.', schema: SearchResponse },
        ...errorResponses(400, 401, 403, 500),
      },
      async handler({ params: spelled, body: { pageSize, pageToken, ...asked }, tenant }) {
        const ids = idsOf(spelled);
        if (isProblem(ids)) return ids;
        const filter = {
          ...selectedEvents(asked),
          ...(asked.dispatchBatchId ? { dispatchBatchIds: uuidsIn('operation', asked.dispatchBatchId) } : {}),
          ...(asked.dispatchStatus ? withStatus(asked.dispatchStatus) : { state: [...DELIVERY_STATES] }),
        };
        const listed = ['jack-henry-events', tenant.id, ids.subscriptionId, filter];
        const position =
          pageToken === undefined
            ? undefined
            : readCursor(listed, pageToken, [MICROS_FORM, idForm('delivery')]);
        if (position && isProblem(position)) return refusedPageToken();
        const rows = await listDispatches(pool, tenant.id, ids.subscriptionId, filter, {
          limit: pageSize + 1,
          ...(position ? { after: { acceptedAtMicros: position[0], id: position[1] } } : {}),
        });
        const shown = rows.slice(0, pageSize);
        const last = shown.at(-1);
        return jsonAnswer({
          events: shown.map(view),
          nextPageToken:
            rows.length > pageSize && last
              ? writeCursor(listed, [last.acceptedAtMicros, last.deliveryId])
              : null,
        });
      },
    }),
  ];
}

function refusedPageToken() {
  return problem('invalid_cursor', {
    errors: [
      {
        pointer: '#/pageToken',
        code: 'wrong_format',
        message: 'Expected the nextPageToken of a page with the same filter.',
      },
    ],
  });
}

function view({ event, ...dispatch }: Dispatch): z.input<typeof EventView> {
  return {
    eventId: event.id,
    eventNum: String(event.number),
    eventType: event.type,
    eventSource: event.source ?? null,
    eventTime: dispatch.acceptedAt.toISOString(),
    ingestionBatchId: event.ingestionBatchId ?? null,
    dispatchBatchId: dispatch.dispatchBatchId,
    dispatchStatus: dispatchStatus(dispatch),
    attempts: dispatch.attempts,
    lastAttemptTime: dispatch.lastAttemptAt?.toISOString() ?? null,
  };
}

import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { BODY_LIMITS } from '../../../api/requests/read-body.ts';
import { type Route, route } from '../../../api/route.ts';
import { sentTypeFault } from '../../../domain/endpoints/event-type.ts';
import { MAX_PAYLOAD_BYTES } from '../../../domain/events/payload-limits.ts';
import { MAX_JSON_DEPTH } from '../../../domain/json/json-depth.ts';
import { payloadSlices } from '../../../domain/json/payload-slices.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { MAX_EVENTS_PER_CALL } from '../../../ingest/create-ingest.ts';
import type { IncomingEvent } from '../../../ingest/matched-event.ts';
import type { AcceptedEvent } from '../../../ingest/write-calls.ts';
import { erasePayloadOf } from '../../../operations/deliveries/erase-payload.ts';
import { insertRejection } from '../../../store/ingest/rejections.ts';
import { deliveriesOfEvent, findEvent, findPayload } from '../../../store/reading/event-reads.ts';
import { shownId, textField, timeField } from '../fields.ts';
import { nameParams } from '../names.ts';
import { EventView, eventView, MAX_SHOWN_DELIVERIES } from './event-view.ts';

const NewEvent = z
  .strictObject({
    id: textField(
      255,
      'Your id of the event. A repeat, of the same type and source, is delivered only where the first was not delivered, is not on its way, and cannot be replayed with the same payload.',
      'inv-2026-000123',
    ).optional(),
    type: textField(255, 'Type, which endpoints choose by.', 'invoice.paid').superRefine((type, context) => {
      const fault = sentTypeFault(type);
      if (fault !== undefined)
        context.addIssue({ code: 'custom', message: fault, params: { code: 'wrong_format' } });
    }),
    source: textField(255, 'Where it comes from.', 'billing').optional(),
    key: textField(255, 'The subject of the event, such as an account.', 'account-42').optional(),
    occurredAt: timeField('When it happened, by your clock.').optional(),
    ingestionBatchId: textField(
      255,
      'Your name for the batch it belongs to; retries can select by it.',
      'import-7',
    ).optional(),
    payload: z
      .unknown()
      .refine((payload) => payload !== undefined, {
        message: 'This member is required.',
        params: { code: 'required' },
      })
      .meta({
        description: `Any JSON, 1 MiB at most; delivered byte for byte as it is written here. The request as a whole nests at most ${MAX_JSON_DEPTH} levels.`,
        example: { amount: 100, currency: 'EUR' },
      }),
  })
  .meta({ id: 'NewEvent' });

const AcceptedView = z
  .strictObject({
    eventId: shownId('event', 'Id of the event.'),
    number: z.int().meta({
      description: 'Number of the event within the tenant, in the order of acceptance.',
      example: 1,
    }),
    deliveries: z.int().meta({ description: 'Deliveries that are queued.', example: 2 }),
    suppressed: z.int().meta({
      description: 'Endpoints at which nothing is sent, for their delivery of the first event stands for it.',
      example: 0,
    }),
    duplicateOf: shownId(
      'event',
      'The first event with the same `id`, `type` and `source`; this one is sent where that one cannot be.',
    ).optional(),
  })
  .meta({ id: 'AcceptedEvent' });

/** Events: where everything begins. */
export function eventRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/events',
      summary: 'Accept one event, or up to 1,000',
      description:
        'All are accepted or none. Once answered, they are durable; deliveries to matching endpoints begin at once. Repeating a call is safe where its events have an `id`.',
      tag: 'Events',
      access: { of: 'tenant', scope: 'write:events' },
      request: { body: z.union([NewEvent, z.array(NewEvent).min(1).max(MAX_EVENTS_PER_CALL)]) },
      // Payloads are other people's, and 8 MiB of them can have many small members.
      bodyLimits: { ...BODY_LIMITS, members: 300_000 },
      responses: {
        202: {
          description: 'The result of the event, or of each event in the order they came.',
          schema: z.union([AcceptedView, z.array(AcceptedView)]),
        },
      },
      problems: ['payload_too_large'],
      onRefused: ({ tenantId, ...refusal }) => insertRejection(deps.pool, tenantId, refusal),
      async handler({ body, bodyText, tenant }) {
        const events = incomingEvents([body].flat(), payloadSlices(bodyText));
        if (isProblem(events)) return events;
        const accepted = await deps.acceptEvents(tenant.id, events);
        deps.metrics.eventsAccepted.inc(
          accepted.filter((event) => event.duplicateOf === undefined || event.deliveries > 0).length,
        );
        const views = accepted.map(view);
        return { status: 202, body: Array.isArray(body) ? views : views[0] };
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/events/{id}',
      summary: 'Show an event with its deliveries',
      tag: 'Events',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        params: nameParams('event', 'Id of the event, ours or yours.'),
        query: z.strictObject({
          include: z
            .enum(['payload'])
            .optional()
            .meta({ description: '`payload` to see the payload, too.', example: 'payload' }),
        }),
      },
      responses: { 200: { description: 'The event.', schema: EventView } },
      async handler({ params: { id }, query: { include }, tenant, caller }) {
        if (include === 'payload' && caller.grant)
          return problem('insufficient_scope', {
            scope: 'read:deliveries',
            detail: 'No grant reads bodies: leave `include=payload` out, or use a key with scopes.',
          });
        const event = await findEvent(deps.pool, tenant.id, id);
        if (!event) return problem('not_found');
        const deliveries = await deliveriesOfEvent(deps.pool, tenant.id, id, MAX_SHOWN_DELIVERIES);
        const payload = include === 'payload' ? await findPayload(deps.pool, tenant.id, id) : undefined;
        const json = JSON.stringify(eventView(event, deliveries));
        if (payload === undefined) return { status: 200, json };
        const { body, importMembers } = payload;
        const kept = importMembers === undefined ? '' : `,"importMembers":${importMembers}`;
        // Parsing the payload to write it again would not show the bytes that are delivered.
        return { status: 200, json: `${json.slice(0, -1)}${kept},"payload":${body}}` };
      },
    }),
    route({
      method: 'delete',
      path: '/api/v1/events/{id}/payload',
      summary: 'Erase the payload of an event, at once and for good',
      description:
        'The answers of receivers go with it, for they may repeat it; the event, its deliveries and its receipt stay. A delivery that waits ends `ignored` with `payload_expired`. One that is being sent is not called back, and one of unknown outcome stays so: neither is sent again, and a repeat of the id is suppressed until that attempt has ended, or somebody has said what became of it. An event that repeats this one has a copy of its own, and is erased by itself.',
      tag: 'Events',
      access: { of: 'tenant', scope: 'write:deliveries' },
      request: { params: nameParams('event', 'Id of the event, ours or yours.') },
      responses: { 204: { description: 'It is gone, now or since earlier.' } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const erased = await erasePayloadOf(deps, tenant.id, id, caller);
        return erased ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

function incomingEvents(
  events: z.output<typeof NewEvent>[],
  bodies: (string | undefined)[],
): IncomingEvent[] | Problem {
  const incoming = events.map(({ id, occurredAt, ...event }, index) => {
    const body = bodies[index];
    if (body === undefined) throw new Error('a payload that was validated has no source text');
    return {
      ...event,
      externalId: id,
      occurredAt: occurredAt === undefined ? undefined : new Date(occurredAt),
      body,
      payloadBytes: Buffer.byteLength(body),
    };
  });
  const tooLarge = incoming.flatMap(({ payloadBytes }, index) =>
    payloadBytes > MAX_PAYLOAD_BYTES ? [index] : [],
  );
  if (tooLarge.length === 0) return incoming;
  return problem('payload_too_large', {
    errors: tooLarge.map((index) => ({
      pointer: events.length === 1 && bodies.length === 1 ? '#/payload' : `#/${index}/payload`,
      code: 'too_long',
      message: `The payload of event ${index} has more than ${MAX_PAYLOAD_BYTES} bytes.`,
    })),
  });
}

function view(accepted: AcceptedEvent): z.input<typeof AcceptedView> {
  return {
    eventId: showId('event', accepted.eventId),
    number: accepted.number,
    deliveries: accepted.deliveries,
    suppressed: accepted.suppressed,
    ...(accepted.duplicateOf ? { duplicateOf: showId('event', accepted.duplicateOf) } : {}),
  };
}

import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, problem } from '../../api/problems/problem.ts';
import { idForm, MICROS_FORM, readCursor } from '../../api/requests/cursor.ts';
import { type Route, route } from '../../api/route.ts';
import type { DeliveryFilter } from '../../domain/operations/selection.ts';
import { readId, showId } from '../../domain/tenancy/typed-id.ts';
import { type Delivery, findDelivery, listDeliveries } from '../../store/reading/delivery-reads.ts';
import { type Attempt, executionsOfDelivery } from '../../store/reading/execution-reads.ts';
import { shownTime, timeField } from '../native/fields.ts';
import { countParameter, pageFrom } from '../native/page.ts';
import { SELECTED_BY, ZEN_STATUSES, zenStatus } from './delivery-status.ts';
import { notFoundDetail, zenErrors } from './problems.ts';
import { readDeliveryId, spelledId, tid, ZEN_TAG } from './zen-fields.ts';

/** A delivery that was retried more often shows the attempts of its newest executions. */
const MAX_EXECUTIONS = 200;

const responseCode = z.int().meta({
  description: 'HTTP status of the answer; 0 where there was none.',
  example: 503,
});

const DeliveryView = z
  .strictObject({
    id: z.string().meta({ description: 'The delivery.', example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    event_id: z.string().meta({ description: 'The event.', example: 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    destination_id: z
      .string()
      .meta({ description: 'The endpoint it is for.', example: 'end_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    status: z.enum([...ZEN_STATUSES, 'dropped']).meta({
      description:
        '`pending`: no attempt yet; `retrying`: not settled after an attempt; `failed`: given up; `dropped`: ended before that, as where its endpoint was disabled or did not want it, and nothing sends it any more.',
      example: 'failed',
    }),
    response_code: responseCode.nullable().meta({
      description: 'HTTP status of the last answer; 0 where there was none, null before the first attempt.',
      example: 503,
    }),
    attempt_number: z.int().meta({ description: 'Attempts so far.', example: 3 }),
    attempted_at: shownTime('When the last attempt began.').nullable(),
  })
  .meta({ id: 'ZenDelivery' });

const DeliveryDetails = DeliveryView.extend({
  attempts: z
    .array(
      z.strictObject({
        attempt_number: z.int().meta({ description: 'Counted from 1.', example: 1 }),
        response_code: responseCode,
        response_body: z
          .string()
          .nullable()
          .meta({ description: 'How the answer begins; null where there was none.', example: 'overloaded' }),
        attempted_at: shownTime('When it began.'),
        duration_ms: z.int().meta({ description: 'How long it took.', example: 120 }),
        error: z
          .string()
          .nullable()
          .meta({ description: 'Why it did not deliver; null where it did.', example: 'http_5xx' }),
      }),
    )
    .meta({ description: 'Its attempts, oldest first.' }),
}).meta({ id: 'ZenDeliveryDetails' });

const Query = z
  .strictObject({
    status: z
      .enum(ZEN_STATUSES)
      .optional()
      .meta({ description: 'Only deliveries with this status.', example: 'failed' }),
    destination_id: spelledId(
      'Only deliveries for this endpoint.',
      'end_01k9z3e5hbe7r9qk2m4n6p8r0s',
    ).optional(),
    event_id: spelledId('Only deliveries of this event.', 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s').optional(),
    from: timeField('Only events that were accepted then or later.').optional(),
    to: timeField('Only events that were accepted before.').optional(),
    limit: countParameter(1, 100, 20, 'Deliveries of a page at most.'),
    cursor: z
      .string()
      .max(1_000)
      .optional()
      .meta({ description: '`next_cursor` of the page before, with the same filter.', example: 'WyI1dW1…' }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) <= Date.parse(to), {
    path: ['to'],
    message: 'Expected a time that is not before `from`.',
    params: { code: 'reversed_range' },
  });

/** Deliveries and their attempts; those that could not be delivered are the list with `status=failed`. */
export function deliveryRoutes({ pool }: ApiDeps): Route[] {
  const common = { method: 'get', tag: ZEN_TAG, access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...common,
      path: '/v1/tenants/{tid}/deliveries',
      summary: 'List deliveries, newest first',
      request: { params: z.strictObject({ tid }), query: Query },
      responses: {
        200: {
          description: 'A page of deliveries.',
          schema: z.strictObject({
            deliveries: z.array(DeliveryView).meta({ description: 'The deliveries of this page.' }),
            next_cursor: z.string().nullable().meta({
              description: 'Where the next page begins; null on the last one.',
              example: 'WyI1dW1…',
            }),
          }),
        },
        ...zenErrors(),
      },
      async handler({ query, tenant }) {
        const filter = filterOf(query);
        const listed = ['zen-mesh deliveries', tenant.id, filter];
        const position =
          query.cursor === undefined
            ? undefined
            : readCursor(listed, query.cursor, [MICROS_FORM, idForm('delivery')]);
        if (position && isProblem(position)) return position;
        const rows = await listDeliveries(pool, tenant.id, filter, {
          limit: query.limit + 1,
          ...(position ? { after: { acceptedAtMicros: position[0], id: position[1] } } : {}),
        });
        const positionOf = (delivery: Delivery) => [delivery.acceptedAtMicros, delivery.id];
        const page = pageFrom(rows, query.limit, listed, positionOf, view);
        return { status: 200, body: { deliveries: page.items, next_cursor: page.nextCursor } };
      },
    }),
    route({
      ...common,
      path: '/v1/tenants/{tid}/deliveries/{did}',
      summary: 'Show a delivery with its attempts',
      request: {
        params: z.strictObject({ tid, did: spelledId('The delivery.', 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s') }),
      },
      responses: { 200: { description: 'The delivery.', schema: DeliveryDetails }, ...zenErrors() },
      async handler({ params: { did }, tenant }) {
        const id = readDeliveryId(did);
        const delivery = id === undefined ? undefined : await findDelivery(pool, tenant.id, id);
        if (!delivery) return problem('not_found', { detail: notFoundDetail('Delivery', did) });
        const executions = await executionsOfDelivery(pool, tenant.id, delivery.id, MAX_EXECUTIONS);
        const attempts = executions.flatMap((execution) => execution.attempts);
        const before = Math.max(0, delivery.attempts - attempts.length);
        const body = {
          ...view(delivery),
          attempts: attempts.map((attempt, index) => attemptView(attempt, before + index + 1)),
        };
        return { status: 200, body };
      },
    }),
  ];
}

/** An id that names nothing selects nothing. */
function filterOf({ status, destination_id, event_id, from, to }: z.output<typeof Query>): DeliveryFilter {
  const list = <Kind extends 'endpoint' | 'event'>(kind: Kind, text: string) =>
    [readId(kind, text)].filter((id) => id !== undefined);
  return {
    ...(status === undefined ? {} : SELECTED_BY[status]),
    ...(destination_id === undefined ? {} : { endpointIds: list('endpoint', destination_id) }),
    ...(event_id === undefined ? {} : { eventIds: list('event', event_id) }),
    ...(from === undefined ? {} : { from: { at: from, inclusive: true } }),
    ...(to === undefined ? {} : { to: { at: to, inclusive: false } }),
  };
}

function view(delivery: Delivery): z.input<typeof DeliveryView> {
  return {
    id: showId('delivery', delivery.id),
    event_id: showId('event', delivery.event.id),
    destination_id: showId('endpoint', delivery.endpointId),
    status: zenStatus(delivery),
    response_code: delivery.attempts === 0 ? null : (delivery.httpStatus ?? 0),
    attempt_number: delivery.attempts,
    attempted_at: delivery.lastAttemptAt?.toISOString() ?? null,
  };
}

function attemptView(attempt: Attempt, number: number) {
  return {
    attempt_number: number,
    response_code: attempt.httpStatus ?? 0,
    response_body: attempt.responseExcerpt?.toString('utf8') ?? null,
    attempted_at: attempt.startedAt.toISOString(),
    duration_ms: attempt.durationMs,
    error: attempt.faultCode ?? null,
  };
}

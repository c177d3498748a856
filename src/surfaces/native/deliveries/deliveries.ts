import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { MICROS_FORM, readCursor, UUID_FORM } from '../../../api/cursor.ts';
import { isProblem, problem } from '../../../api/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { resolveDelivery } from '../../../operations/resolve-delivery.ts';
import { type Delivery, findDelivery, listDeliveries } from '../../../store/reading/delivery-reads.ts';
import { executionsOfDelivery } from '../../../store/reading/execution-reads.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { withNamedEndpoints } from '../names.ts';
import { pageFrom, pageOf, pageParameters } from '../page.ts';
import { deliveryFilter, deliveryFilterParameters, refuseReversedRanges } from './delivery-filter.ts';
import { ExecutionView, executionView } from './execution-view.ts';

/** A delivery that was retried more often shows its newest executions; the others by their own ids. */
const MAX_EXECUTIONS = 200;

const DeliveryView = z
  .strictObject({
    id: shownId('delivery', 'Id of the delivery; the `webhook-id` of all its requests.'),
    endpointId: shownId('endpoint', 'The endpoint it is for.'),
    event: z
      .strictObject({
        id: shownId('event', 'Id of the event.'),
        number: z.int().meta({ description: 'Its number within the tenant.', example: 1 }),
        externalId: z.string().nullable().meta({ description: 'Your id of it.', example: 'inv-2026-000123' }),
        type: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
        source: z.string().nullable().meta({ description: 'Where it comes from.', example: 'billing' }),
        key: z.string().nullable().meta({ description: 'What it is about.', example: 'account-42' }),
      })
      .meta({ description: 'The event that is delivered.' }),
    state: z
      .enum(DELIVERY_STATES)
      .meta({ description: 'State, folded from its executions.', example: 'failed' }),
    stateChangedAt: shownTime('Since when it is in this state.'),
    acceptedAt: shownTime('When the event was accepted.'),
    attempts: z.int().meta({ description: 'HTTP requests so far, over all executions.', example: 3 }),
    lastAttemptAt: shownTime('When the last one began.').nullable(),
    faultCode: z
      .string()
      .nullable()
      .meta({ description: 'Why the last one did not deliver.', example: 'http_5xx' }),
    httpStatus: z.int().nullable().meta({ description: 'Status of the last answer.', example: 503 }),
    payloadBytes: z.int().meta({ description: 'Length of the body in bytes.', example: 512 }),
    originalVersion: z
      .int()
      .nullable()
      .meta({ description: 'Version of the endpoint that its first attempt used.', example: 1 }),
    replayOf: shownId('delivery', 'The delivery that this one repeats under a new identity.').nullable(),
  })
  .meta({ id: 'Delivery', description: 'One event for one endpoint; stable for ever.' });

const DeliveryDetails = DeliveryView.extend({
  executions: z.array(ExecutionView).meta({
    description: `Its executions, oldest first; the newest ${MAX_EXECUTIONS} where there are more.`,
  }),
  moreExecutions: z
    .boolean()
    .meta({ description: 'There are older executions than those shown.', example: false }),
}).meta({ id: 'DeliveryDetails' });

const Resolution = z
  .strictObject({
    outcome: z.enum(['delivered', 'failed', 'retry']).meta({
      description:
        'What you know of it: it arrived, it did not, or it is to be sent again whether it arrived or not.',
      example: 'delivered',
    }),
    confirm: z
      .literal(true)
      .meta({ description: 'You have looked: nothing will check this.', example: true }),
  })
  .meta({ id: 'Resolution' });

const Resolved = z
  .strictObject({
    deliveryId: shownId('delivery', 'The delivery.'),
    executionId: shownId('execution', 'The execution that was unknown.'),
    state: z.enum(EXECUTION_STATES).meta({ description: 'What it is now.', example: 'delivered' }),
  })
  .meta({ id: 'Resolved' });

const params = idParams('delivery', 'Id of the delivery.');

/** Deliveries: listed, shown, and settled where nobody knows their outcome. */
export function deliveryRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
  const read = { tag: 'Deliveries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/deliveries',
      summary: 'List deliveries, newest first',
      request: {
        query: z
          .strictObject({ ...deliveryFilterParameters, ...pageParameters })
          .superRefine(refuseReversedRanges),
      },
      responses: { 200: { description: 'A page of deliveries.', schema: pageOf(DeliveryView) } },
      problems: ['invalid_cursor', 'unknown_ids'],
      async handler({ query: { limit, cursor, ...parsed }, tenant }) {
        const named = await withNamedEndpoints(pool, tenant.id, parsed, () => ({ parameter: 'endpointIds' }));
        if (isProblem(named)) return named;
        const filter = deliveryFilter(named);
        const listed = ['deliveries', tenant.id, filter];
        const position =
          cursor === undefined ? undefined : readCursor(listed, cursor, [MICROS_FORM, UUID_FORM]);
        if (position && isProblem(position)) return position;
        const rows = await listDeliveries(pool, tenant.id, filter, {
          limit: limit + 1,
          ...(position ? { after: { acceptedAtMicros: position[0], id: position[1] } } : {}),
        });
        const positionOf = (delivery: Delivery) => [delivery.acceptedAtMicros, delivery.id];
        return { status: 200, body: pageFrom(rows, limit, listed, positionOf, view) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/deliveries/{id}',
      summary: 'Show a delivery with its executions and their attempts',
      request: { params },
      responses: { 200: { description: 'The delivery.', schema: DeliveryDetails } },
      async handler({ params: { id }, tenant, caller }) {
        const delivery = await findDelivery(pool, tenant.id, id);
        if (!delivery) return problem('not_found');
        const executions = await executionsOfDelivery(pool, tenant.id, id, MAX_EXECUTIONS + 1);
        const body = {
          ...view(delivery),
          executions: executions
            .slice(-MAX_EXECUTIONS)
            .map((execution) => executionView(execution, { withBodies: !caller.grant })),
          moreExecutions: executions.length > MAX_EXECUTIONS,
        };
        return { status: 200, body };
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/deliveries/{id}/resolve',
      summary: 'Settle a delivery whose outcome is unknown',
      tag: 'Deliveries',
      access: { of: 'tenant', scope: 'write:deliveries' },
      request: { params, body: Resolution },
      responses: { 200: { description: 'It is settled.', schema: Resolved } },
      problems: ['state_conflict'],
      async handler({ params: { id }, body, tenant }) {
        const result = await resolveDelivery(deps, tenant.id, id, body.outcome);
        if (result.ok)
          return {
            status: 200,
            body: {
              deliveryId: showId('delivery', id),
              executionId: showId('execution', result.executionId),
              state: result.state,
            },
          };
        return result.code === 'not_found'
          ? problem('not_found')
          : problem('state_conflict', {
              detail: 'The outcome of this delivery is not unknown: there is nothing to settle.',
            });
      },
    }),
  ];
}

function view(delivery: Delivery): z.input<typeof DeliveryView> {
  const { event } = delivery;
  return {
    id: showId('delivery', delivery.id),
    endpointId: showId('endpoint', delivery.endpointId),
    event: {
      id: showId('event', event.id),
      number: event.number,
      externalId: event.externalId ?? null,
      type: event.type,
      source: event.source ?? null,
      key: event.key ?? null,
    },
    state: delivery.state,
    stateChangedAt: delivery.stateChangedAt.toISOString(),
    acceptedAt: delivery.acceptedAt.toISOString(),
    attempts: delivery.attempts,
    lastAttemptAt: delivery.lastAttemptAt?.toISOString() ?? null,
    faultCode: delivery.faultCode ?? null,
    httpStatus: delivery.httpStatus ?? null,
    payloadBytes: delivery.payloadBytes,
    originalVersion: delivery.originalVersion ?? null,
    replayOf: delivery.replayOf ? showId('delivery', delivery.replayOf) : null,
  };
}

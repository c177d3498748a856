import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Turns } from '../../../api/limits/turns.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import type { StreamOutput } from '../../../api/reply.ts';
import { idForm, MICROS_FORM, readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import type { DeliveryFilter } from '../../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import type { Wait } from '../../../domain/sending/waiting-for.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { type Delivery, findDelivery, listDeliveries } from '../../../store/reading/delivery-reads.ts';
import { executionsOfDelivery } from '../../../store/reading/execution-reads.ts';
import { waitsOfExecutions } from '../../../store/reading/waits.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { withNamedEndpoints } from '../names.ts';
import { MAX_PAGE, pageFrom, pageOf, pageParameters } from '../page.ts';
import { waitsField, waitsView } from '../waits.ts';
import { deliveryFilter, deliveryFilterParameters, refuseReversedRanges } from './delivery-filter.ts';
import { ExecutionView, executionView } from './execution-view.ts';

const NDJSON = 'application/x-ndjson';

/** A delivery that was retried more often shows its newest executions; the others by their own ids. */
const MAX_EXECUTIONS = 200;

const DeliveryView = z
  .strictObject({
    id: shownId('delivery', 'Id of the delivery.'),
    webhookId: z.string().meta({
      description:
        'The header `webhook-id` of all its requests: its receiver knows it by this. The id of the delivery, or that of another system which an import has kept.',
      example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    endpointId: shownId('endpoint', 'The endpoint it is for.'),
    event: z
      .strictObject({
        id: shownId('event', 'Id of the event.'),
        number: z.int().meta({ description: 'Its number within the tenant.', example: 1 }),
        externalId: z.string().nullable().meta({ description: 'Your id of it.', example: 'inv-2026-000123' }),
        type: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
        source: z.string().nullable().meta({ description: 'Where it comes from.', example: 'billing' }),
        key: z.string().nullable().meta({ description: 'The subject of the event.', example: 'account-42' }),
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
    test: z.boolean().meta({
      description:
        'It was asked for to try its endpoint (`POST /api/v1/endpoints/{id}/test`), or went to a listener.',
      example: false,
    }),
    importId: shownId(
      'import',
      'The import that brought it from another system: its attempts before were made there.',
    ).nullable(),
    waitingFor: waitsField('The reasons why it waits, where it is to be sent and is not on the wire.'),
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

const params = idParams('delivery', 'Id of the delivery.');

/** Deliveries: listed and shown; `inTurn` are the turns of exports. */
export function deliveryRoutes({ pool }: ApiDeps, inTurn: Turns): Route[] {
  const read = { tag: 'Deliveries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/deliveries',
      summary: 'List deliveries, newest first',
      description: `With \`Accept: ${NDJSON}\` all of them are streamed, one JSON object a line, however many there are; \`limit\` does not apply then. A stream that ends early is cut off without its last chunk. With \`state=unknown\` these are the \`webhookId\`s to ask a receiver for.`,
      request: {
        query: z
          .strictObject({ ...deliveryFilterParameters, ...pageParameters })
          .superRefine(refuseReversedRanges),
      },
      responses: {
        200: {
          description: 'A page of deliveries, or all of them.',
          schema: pageOf(DeliveryView),
          alternatives: { [NDJSON]: DeliveryView },
        },
      },
      problems: ['invalid_cursor', 'unknown_ids'],
      async handler({ query: { limit, cursor, ...parsed }, header, tenant }) {
        const named = await withNamedEndpoints(pool, tenant.id, parsed, () => ({ parameter: 'endpointIds' }));
        if (isProblem(named)) return named;
        const filter = deliveryFilter(named);
        const listed = ['deliveries', tenant.id, filter];
        const position =
          cursor === undefined ? undefined : readCursor(listed, cursor, [MICROS_FORM, idForm('delivery')]);
        if (position && isProblem(position)) return position;
        const after = position && { acceptedAtMicros: position[0], id: position[1] };
        if (header('accept')?.includes(NDJSON))
          return {
            status: 200,
            kind: 'export',
            contentType: NDJSON,
            stream: (output) => streamDeliveries(output, tenant.id, filter, after),
          };
        const rows = await listDeliveries(pool, tenant.id, filter, {
          limit: limit + 1,
          ...(after ? { after } : {}),
        });
        const waits = await waitsOf(rows);
        const positionOf = (delivery: Delivery) => [delivery.acceptedAtMicros, delivery.id];
        return {
          status: 200,
          body: pageFrom(rows, limit, listed, positionOf, (delivery) => view(delivery, waits)),
        };
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
        const waits = await waitsOf([delivery]);
        const body = {
          ...view(delivery, waits),
          executions: executions
            .slice(-MAX_EXECUTIONS)
            .map((execution) =>
              executionView(execution, { withBodies: !caller.grant, waits: waits.get(execution.id) }),
            ),
          moreExecutions: executions.length > MAX_EXECUTIONS,
        };
        return { status: 200, body };
      },
    }),
  ];

  /** One page is in memory at a time, and the next is read when the peer has taken it and its turn has come. */
  async function streamDeliveries(
    output: StreamOutput,
    tenantId: Id<'tenant'>,
    filter: DeliveryFilter,
    from: DeliveryPosition | undefined,
  ): Promise<void> {
    let after = from;
    for (;;) {
      if (output.ended.aborted) return;
      const { rows, lines } = await inTurn(async () => {
        const page = await listDeliveries(pool, tenantId, filter, {
          limit: MAX_PAGE,
          ...(after ? { after } : {}),
        });
        const waits = await waitsOf(page);
        return { rows: page, lines: page.map((row) => `${JSON.stringify(view(row, waits))}\n`).join('') };
      });
      if (lines !== '' && !(await output.write(lines))) return;
      after = rows.at(-1);
      if (after === undefined || rows.length < MAX_PAGE) return;
    }
  }

  /** The reasons why the deliveries of a page wait, by their open executions: one look for all of them. */
  function waitsOf(deliveries: Delivery[]): Promise<Map<string, Wait[]>> {
    return waitsOfExecutions(
      pool,
      deliveries.flatMap(({ openExecutionId }) => openExecutionId ?? []),
    );
  }
}

type DeliveryPosition = Pick<Delivery, 'acceptedAtMicros' | 'id'>;

function view(delivery: Delivery, waits: Map<string, Wait[]>): z.input<typeof DeliveryView> {
  const { event } = delivery;
  return {
    id: showId('delivery', delivery.id),
    webhookId: delivery.webhookId ?? showId('delivery', delivery.id),
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
    test: delivery.test,
    importId: delivery.importId ? showId('import', delivery.importId) : null,
    waitingFor: waitsView(waits.get(delivery.openExecutionId ?? '')),
  };
}

import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { notAtOnce } from '../../../api/problems/not-at-once.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import {
  keyedRequest,
  keyRequired,
  readIdempotencyKey,
  replayedHeaders,
} from '../../../api/requests/idempotency.ts';
import { type Route, route } from '../../../api/route.ts';
import { retryWords } from '../../../domain/operations/retry-words.ts';
import type { Resolvable } from '../../../domain/operations/selection.ts';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { resolveDeliveries } from '../../../operations/deliveries/resolve-deliveries.ts';
import { resolveDelivery } from '../../../operations/deliveries/resolve-delivery.ts';
import { RESOLUTION_OUTCOMES } from '../../../store/settling/resolution-acts.ts';
import { idParams, shownId, wordsField } from '../fields.ts';
import { unknownNames } from '../names.ts';
import { pointersInFilter, pointersOf, selectionOf, withoutNames } from '../retries/asked-selection.ts';
import { selectedEvents, selectedIds } from '../retries/retry-request.ts';
import { DeliveryFilterBody } from './delivery-filter.ts';

const PATH = '/api/v1/deliveries/resolve';

/** The way to what has to wait: a retry leaves alone what is unknown. */
const INSTEAD =
  'Settle it as `failed`, which keeps that it may have arrived, and retry it by `POST /api/v1/retries`: that waits for what is asked.';
const HELD =
  'With `retry` nothing is sent, and all stays unknown, where a retry of the same would have to wait: `needs_approval` by the policy, `state_conflict` within a freeze window, `quota_exceeded` above a ceiling of the installation. Settle it as `failed` and retry it by `POST /api/v1/retries`, which waits.';

const outcome = z.enum(RESOLUTION_OUTCOMES).meta({
  description:
    'The outcome that you know: it arrived, or it did not; or the wish to send it again whether it arrived or not.',
  example: 'delivered',
});
const confirm = z
  .literal(true)
  .meta({ description: 'You have looked: nothing will check this.', example: true });
const reason = wordsField(
  1_000,
  'The reason, which the record keeps.',
  'found in the journal of the receiver',
);

const Resolution = z.strictObject({ outcome, reason: reason.optional(), confirm }).meta({ id: 'Resolution' });

const Resolved = z
  .strictObject({
    deliveryId: shownId('delivery', 'The delivery.'),
    executionId: shownId('execution', 'The execution that was unknown.'),
    state: z.enum(EXECUTION_STATES).meta({ description: 'Its state now.', example: 'delivered' }),
  })
  .meta({ id: 'Resolved' });

const Select = z
  .strictObject({
    deliveryIds: selectedIds('delivery', 'These deliveries.'),
    eventIds: selectedEvents,
    executionIds: selectedIds('execution', 'The deliveries that these executions ran.'),
    filter: DeliveryFilterBody.optional(),
  })
  .refine((select) => Object.values(select).filter((member) => member !== undefined).length === 1, {
    message: 'Expected exactly one of deliveryIds, eventIds, executionIds and filter.',
    params: { code: 'exactly_one' },
  })
  .refine(({ filter }) => filter?.state?.every((state) => state === 'unknown') ?? true, {
    path: ['filter', 'state'],
    message: 'Only what is unknown can be settled: leave this out.',
    params: { code: 'not_allowed' },
  })
  .meta({
    id: 'ResolveSelect',
    description:
      'The deliveries to settle: exactly one member. Of those that it selects, only those with an unknown outcome are settled.',
    minProperties: 1,
    maxProperties: 1,
  });

const BulkResolution = z
  .strictObject({ select: Select, outcome, reason, confirm })
  .meta({ id: 'BulkResolution' });

const ResolvedMany = z
  .strictObject({
    id: shownId('resolution', 'Id of the act.'),
    outcome,
    resolved: z.int().meta({ description: 'Deliveries that it settled.', example: 46 }),
    notUnknown: z.int().meta({
      description:
        'Deliveries that were named although their outcome was not unknown: they stay as they were.',
      example: 0,
    }),
    notSendable: z.int().meta({
      description:
        'With `retry`: deliveries that stay unknown, as their endpoint is disabled or deleted, or their payload is gone.',
      example: 0,
    }),
    more: z.boolean().meta({
      description: 'The filter selects more than one call settles (10,000): send it again with a new key.',
      example: false,
    }),
  })
  .meta({ id: 'ResolvedMany' });

/** Deliveries whose outcome nobody knows are settled by an operator: one, or many at once. */
export function resolutionRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
  const write = { tag: 'Deliveries', access: { of: 'tenant', scope: 'write:deliveries' } } as const;
  return [
    route({
      ...write,
      method: 'post',
      path: PATH,
      takesTurn: true,
      summary: 'Settle deliveries whose outcome is unknown',
      description: `Settles all selected deliveries whose outcome is unknown, in batches. One that becomes unknown meanwhile is left for the next call, and one that somebody else settles meanwhile stays as they said. A request that was broken off goes on when it is repeated with its key. ${HELD}`,
      request: { body: BulkResolution },
      headers: {
        'Idempotency-Key': {
          description: 'Makes repeating the request safe for 24 hours. Required with `filter`.',
          example: 'settle-2026-11-03',
        },
      },
      responses: {
        200: {
          description: 'They are settled.',
          schema: ResolvedMany,
          headers: {
            'Idempotency-Replayed': '`true` where this is the stored answer to an earlier request.',
          },
        },
      },
      problems: [
        'idempotency_key_required',
        'idempotency_key_invalid',
        'idempotency_key_reused',
        'unknown_ids',
        'needs_approval',
        'quota_exceeded',
        'state_conflict',
      ],
      async handler({ body, rawBody, rawParams, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        if (key === undefined && body.select.filter) return keyRequired();
        const select = await withoutNames(pool, tenant.id, body.select);
        if (isProblem(select)) return select;
        const result = await resolveDeliveries(deps, {
          tenantId: tenant.id,
          selection: selectionOf(select) as Resolvable,
          outcome: body.outcome,
          reason: body.reason,
          by: caller,
          ...(key === undefined
            ? {}
            : {
                idempotency: keyedRequest(
                  key,
                  { tenantId: tenant.id, surface: 'native', path: PATH },
                  { params: rawParams, body: rawBody },
                ),
              }),
          render: ({ id, ...done }) => ({ id: showId('resolution', id), ...done }),
        });
        if (result.ok) return { status: 200, json: result.body, headers: replayedHeaders(result.replayed) };
        if (result.code === 'idempotency_key_reused') return problem('idempotency_key_reused');
        if (result.code === 'not_at_once') return notAtOnce(result.refusal, INSTEAD);
        const pointers =
          result.code === 'unknown_ids'
            ? pointersOf(body, result.ids)
            : pointersInFilter(body, result.unknown);
        return unknownNames(pointers.map((pointer) => ({ pointer })));
      },
    }),
    route({
      ...write,
      method: 'post',
      path: '/api/v1/deliveries/{id}/resolve',
      summary: 'Settle a delivery whose outcome is unknown',
      description:
        'With `retry` it stays unknown, and `state_conflict` says why, where nothing can be sent: its endpoint is disabled or deleted, or its payload is gone. It stays so, too, where the policy would hold a retry of it (`needs_approval`): settle it as `failed` and retry it by `POST /api/v1/retries`, which waits.',
      request: { params: idParams('delivery', 'Id of the delivery.'), body: Resolution },
      responses: { 200: { description: 'It is settled.', schema: Resolved } },
      problems: ['state_conflict', 'needs_approval'],
      async handler({ params: { id }, body, tenant, caller }) {
        const by = { ...caller, reason: body.reason };
        const result = await resolveDelivery(deps, tenant.id, id, body.outcome, by);
        if (result.ok)
          return {
            status: 200,
            body: {
              deliveryId: showId('delivery', id),
              executionId: showId('execution', result.executionId),
              state: result.state,
            },
          };
        if (result.code === 'not_at_once') return notAtOnce(result.refusal, INSTEAD);
        if (result.code === 'not_sendable') {
          const endpointId = showId('endpoint', result.endpointId);
          const { why, next } = retryWords(result.reason, { deliveryId: showId('delivery', id), endpointId });
          return problem('state_conflict', {
            detail: `${why} It stays unknown: settle it where you know what became of it. ${next}`,
          });
        }
        return result.code === 'not_found'
          ? problem('not_found')
          : problem('state_conflict', {
              detail: 'The outcome of this delivery is not unknown: there is nothing to settle.',
            });
      },
    }),
  ];
}

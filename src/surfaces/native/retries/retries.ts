import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import {
  IDEMPOTENCY_KEEP_MS,
  idempotencyScope,
  readIdempotencyKey,
  requestFingerprint,
} from '../../../api/requests/idempotency.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import { acceptOperation } from '../../../operations/accept-operation.ts';
import { findOperation, listOperations } from '../../../store/operations/operations.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { type UnknownInFilter, unknownInFilter } from '../../../store/selection/known-ids.ts';
import { idParams, shownTime } from '../fields.ts';
import { unknownNames } from '../names.ts';
import { idCursor, listParameter, pageFrom, pageOf, pageParameters } from '../page.ts';
import { AcceptedItemView, acceptedItemView } from './item-view.ts';
import { OPERATION_DETAILS, operationDetails } from './operation-details.ts';
import { OperationSummary, OperationView, operationSummary, operationView } from './operation-view.ts';
import type { ProgressRate } from './progress-rate.ts';
import {
  needsKey,
  optionsOf,
  pointersInFilter,
  pointersOf,
  RetryRequest,
  selectionOf,
  withoutNames,
} from './retry-request.ts';

const PATH = '/api/v1/retries';
const SURFACE = 'native';

const AcceptedOperation = OperationView.omit({ waitingFor: true })
  .extend({
    items: z.array(AcceptedItemView).optional().meta({
      description:
        'The fate of each delivery, where ids were given; with a filter, deliveries are selected behind the answer.',
    }),
    idempotencyExpiresAt: shownTime('Until then the same key gets this answer again.').optional(),
  })
  .meta({ id: 'AcceptedOperation' });

const OperationDetails = OperationView.extend(OPERATION_DETAILS).meta({ id: 'OperationDetails' });

const params = idParams('operation', 'Id of the operation.');

/** Retries and replays: started, listed and shown. */
export function retryRoutes(deps: ApiDeps, rate: ProgressRate): Route[] {
  const { pool } = deps;
  const read = { tag: 'Retries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  const write = { tag: 'Retries', access: { of: 'tenant', scope: 'write:deliveries' } } as const;
  const eta = (operation: Operation) => rate.observe(operation, performance.now());
  return [
    route({
      ...write,
      method: 'post',
      path: PATH,
      summary: 'Retry or replay deliveries',
      description:
        'Starts one operation for any selection. The answer is durable: where Temporal is away, the operation begins when Temporal is back. A delivery that is being retried elsewhere is joined, not sent twice.',
      request: { body: RetryRequest },
      headers: {
        'Idempotency-Key': {
          description:
            'Makes repeating the request safe for 24 hours. Required with `filter`, `failuresOf` and `remainderOf`.',
          example: 'a7f3c1d2-outage-2026-11-03',
        },
      },
      responses: {
        202: {
          description: 'It is accepted.',
          schema: AcceptedOperation,
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
      ],
      async handler({ body, rawBody, rawParams, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        if (key === undefined && needsKey(body.select))
          return problem('idempotency_key_required', {
            errors: [
              { parameter: 'Idempotency-Key', code: 'required', message: 'This header is required here.' },
            ],
          });
        const select = await withoutNames(pool, tenant.id, body.select);
        if (isProblem(select)) return select;
        const selection = selectionOf(select);
        const result = await acceptOperation<UnknownInFilter[]>(deps, {
          tenant,
          surface: SURFACE,
          kind: body.mode,
          target: body.target,
          selection,
          options: optionsOf(body),
          caller,
          async before(db) {
            if (!('filter' in selection)) return undefined;
            const unknown = await unknownInFilter(db, tenant.id, selection.filter);
            return unknown.length === 0 ? undefined : unknown;
          },
          ...(body.reason === undefined ? {} : { reason: body.reason }),
          ...(body.ticket === undefined ? {} : { ticket: body.ticket }),
          ...(key === undefined
            ? {}
            : {
                idempotency: {
                  scope: idempotencyScope(tenant.id, SURFACE, `POST ${PATH}`),
                  key,
                  fingerprint: requestFingerprint({
                    method: 'POST',
                    routeTemplate: PATH,
                    params: rawParams,
                    body: rawBody,
                  }),
                  keep: { ms: IDEMPOTENCY_KEEP_MS },
                },
              }),
          render: ({ operation, items, idempotencyExpiresAt }) => ({
            ...acceptedView(operation),
            ...(items ? { items: items.map(acceptedItemView) } : {}),
            ...(idempotencyExpiresAt ? { idempotencyExpiresAt: idempotencyExpiresAt.toISOString() } : {}),
          }),
        });
        if (result.ok)
          return {
            status: 202,
            json: result.body,
            headers: result.replayed ? { 'idempotency-replayed': 'true' } : {},
          };
        if (result.code === 'idempotency_key_reused') return problem('idempotency_key_reused');
        const pointers =
          result.code === 'refused' ? pointersInFilter(body, result.refusal) : pointersOf(body, result.ids);
        return unknownNames(pointers.map((pointer) => ({ pointer })));
      },
    }),
    route({
      ...read,
      method: 'get',
      path: PATH,
      summary: 'List operations, newest first',
      request: {
        query: z.strictObject({
          state: listParameter(
            z.enum(OPERATION_STATES).meta({ description: 'A state of operations.', example: 'running' }),
            'States; all where left out.',
          ),
          ...pageParameters,
        }),
      },
      responses: { 200: { description: 'A page of operations.', schema: pageOf(OperationSummary) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor, state }, tenant }) {
        const listed = ['operations', tenant.id, state ?? null];
        const position = idCursor('operation', listed, cursor);
        if (isProblem(position)) return position;
        const rows = await listOperations(pool, tenant.id, {
          limit: limit + 1,
          ...(state ? { state } : {}),
          ...(position.id ? { before: position.id } : {}),
        });
        return {
          status: 200,
          body: pageFrom(
            await withWaits(pool, rows),
            limit,
            listed,
            ({ id }) => [id],
            (row) => operationSummary(row, eta(row)),
          ),
        };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: `${PATH}/{id}`,
      summary: 'Show an operation',
      request: { params },
      responses: { 200: { description: 'The operation.', schema: OperationDetails } },
      async handler({ params: { id }, tenant }) {
        const found = await findOperation(pool, tenant.id, id);
        const [operation] = await withWaits(pool, found ? [found] : []);
        return operation
          ? {
              status: 200,
              body: {
                ...operationView(operation, eta(operation)),
                ...(await operationDetails(pool, operation)),
              },
            }
          : problem('not_found');
      },
    }),
  ];
}

/** The reasons why it waits are not known yet when it is accepted, and the answer is kept. */
function acceptedView(operation: Operation) {
  const { waitingFor: _, ...view } = operationView(operation);
  return view;
}

import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import { findOperation, listOperations } from '../../../store/operations/operations.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { idParams, shownTime } from '../fields.ts';
import { idCursor, listParameter, pageFrom, pageOf, pageParameters } from '../page.ts';
import { acceptPlan, PLAN_PROBLEMS } from '../plans/accept-plan.ts';
import { PlanSummary } from '../plans/plan-view.ts';
import { acceptRetry } from './accept-retry.ts';
import { AcceptedItemView, acceptedItemView } from './item-view.ts';
import { OPERATION_DETAILS, operationDetails } from './operation-details.ts';
import { OperationSummary, OperationView, operationSummary, operationView } from './operation-view.ts';
import type { ProgressRate } from './progress-rate.ts';
import { RetryRequest } from './retry-request.ts';

const PATH = '/api/v1/retries';

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
        'Starts one operation for any selection. The answer is durable: where Temporal is away, the operation begins when Temporal is back. A delivery that is being retried elsewhere is joined, not sent twice. With `dryRun: true` nothing is sent: the answer is a plan, which can be looked at, and executed, for 15 minutes.',
      request: { body: RetryRequest },
      headers: {
        'Idempotency-Key': {
          description:
            'Makes repeating the request safe for 24 hours. Required with `filter`, `failuresOf`, `remainderOf` and `outage`.',
          example: 'a7f3c1d2-outage-2026-11-03',
        },
      },
      responses: {
        201: { description: 'With `dryRun`: the plan, which is being made.', schema: PlanSummary },
        202: {
          description: 'It is accepted.',
          schema: AcceptedOperation,
          headers: {
            'Idempotency-Replayed': '`true` where this is the stored answer to an earlier request.',
          },
        },
      },
      problems: ['idempotency_key_required', 'quota_exceeded', ...PLAN_PROBLEMS],
      async handler(call) {
        if (call.body.dryRun) return acceptPlan(deps, call, 'dry_run');
        const accepted = await acceptRetry(deps, call, {
          render: ({ operation, items, idempotencyExpiresAt }) => ({
            ...acceptedView(operation),
            ...(items ? { items: items.map(acceptedItemView) } : {}),
            ...(idempotencyExpiresAt ? { idempotencyExpiresAt: idempotencyExpiresAt.toISOString() } : {}),
          }),
        });
        return isProblem(accepted) ? accepted : { status: 202, ...accepted };
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

import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { problem } from '../../api/problems/problem.ts';
import { quotaExceeded } from '../../api/problems/quota-exceeded.ts';
import { keyedRequest, readIdempotencyKey } from '../../api/requests/idempotency.ts';
import { type Route, route } from '../../api/route.ts';
import { MAX_EXPLICIT_IDS, type Selection } from '../../domain/operations/selection.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import { type Id, readId } from '../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../operations/accept-operation.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { reasonsOf } from './file-fault.ts';
import { partnershipEndpoints } from './partnership-endpoints.ts';
import { ERROR_RESPONSES } from './stedi-error.ts';
import { direction, faultCode, partnershipId, processedRange, refuseReversed } from './stedi-fields.ts';

const PATH = '/executions/retry';

const Condition = z
  .strictObject({
    executionIds: z
      .array(
        z.string().meta({
          description: 'Id of an execution.',
          example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f',
        }),
      )
      .max(MAX_EXPLICIT_IDS)
      .optional()
      .meta({
        description:
          'These executions. Ids that name nothing of the account match nothing; an empty list, too.',
      }),
    direction: direction.optional(),
    faultCode: faultCode.optional(),
    partnershipId: partnershipId.optional(),
    status: z
      .enum(['COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'IGNORED', 'IN_PROGRESS'])
      .optional()
      .meta({ description: 'The status. Only FAILED and IGNORED are retried.', example: 'FAILED' }),
    ...processedRange('left out'),
  })
  .superRefine(refuseReversed)
  .meta({
    id: 'StediRetryCondition',
    description:
      'The file executions to retry: all that match every member. With none, all that failed or were ignored.',
  });

const RetryExecutionsBody = z
  .strictObject({ condition: Condition })
  .meta({ id: 'StediRetryExecutions', description: 'The executions to retry.' });

/** The states that a condition can select; an execution that is completed or in progress is never retried. */
const STATES = {
  FAILED: ['failed'],
  // An execution that was taken over by one that was then cancelled unsent is the end of its chain again.
  IGNORED: ['ignored', 'cancelled', 'superseded'],
} as const satisfies Record<string, ExecutionState[]>;

/** `POST /executions/retry`. */
export function retryExecutionsRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: PATH,
      summary: 'Queue file executions to be retried',
      description:
        'All executions that match the condition are queued, the newest children of earlier retries among them. Each execution is retried once: its child is retried next.',
      tag: 'Stedi',
      access: { of: 'tenant', scope: 'write:deliveries' },
      request: { body: RetryExecutionsBody },
      headers: {
        'Idempotency-Key': {
          description: 'Makes repeating the request safe for 24 hours; optional.',
          example: 'a7f3c1d2-outage-2026-11-03',
        },
      },
      responses: {
        200: { description: 'The matching executions are queued. The body is empty.' },
        ...ERROR_RESPONSES,
      },
      async handler({ body: { condition }, rawBody, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const selection = await selectionOf(deps.pool, tenant.id, condition);
        if (!selection) return { status: 200 };
        const result = await acceptOperation(deps, {
          tenant,
          surface: 'stedi',
          kind: 'retry',
          target: 'current',
          selection,
          options: { matchFilter: true },
          caller,
          ...(key === undefined
            ? {}
            : {
                idempotency: keyedRequest(
                  key,
                  { tenantId: tenant.id, surface: 'stedi', path: PATH },
                  { params: {}, body: rawBody },
                ),
              }),
          render: () => null,
        });
        if (result.ok) return { status: 200 };
        return result.code === 'quota_exceeded'
          ? quotaExceeded(result.beyond)
          : problem('idempotency_key_reused');
      },
    }),
  ];
}

/** The selection of the domain; undefined where nothing can match. */
async function selectionOf(
  db: Queryable,
  tenantId: Id<'tenant'>,
  condition: z.output<typeof Condition>,
): Promise<Selection | undefined> {
  const { executionIds, faultCode: fault, status, from, to } = condition;
  if (status !== undefined && status !== 'FAILED' && status !== 'IGNORED') return undefined;
  if (fault !== undefined && status === 'IGNORED') return undefined;
  const ids = executionIds && readIds(executionIds);
  if (ids?.length === 0) return undefined;
  const endpointIds = await partnershipEndpoints(db, tenantId, condition);
  if (endpointIds?.length === 0) return undefined;
  const only = fault === undefined ? status : 'FAILED';
  return {
    filter: {
      // A delivery that was attempted is failed, also when the newest run of it was ignored. A delivered one is not
      // sent again.
      state: only === 'FAILED' ? ['failed'] : ['failed', 'ignored', 'cancelled'],
      ...(endpointIds ? { endpointIds } : {}),
      newest: {
        ...(ids ? { ids } : {}),
        states: only ? [...STATES[only]] : [...STATES.FAILED, ...STATES.IGNORED],
        ...(fault === undefined ? {} : { reasons: reasonsOf(fault) }),
        ...(from === undefined ? {} : { after: { at: from, inclusive: false } }),
        ...(to === undefined ? {} : { before: { at: to, inclusive: false } }),
      },
    },
  };
}

function readIds(executionIds: string[]): Id<'execution'>[] {
  const ids = executionIds.map((text) => readId('execution', text.toLowerCase()));
  return [...new Set(ids.filter((id) => id !== undefined))];
}

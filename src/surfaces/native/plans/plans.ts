import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import { quotaExceeded } from '../../../api/problems/quota-exceeded.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { type Plan, planIdentity } from '../../../domain/operations/plan.ts';
import { hasScope } from '../../../domain/tenancy/scope.ts';
import { type Id, readId } from '../../../domain/tenancy/typed-id.ts';
import { type ExecuteResult, executePlan } from '../../../operations/plans/execute-plan.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { planEndpoints } from '../../../store/plans/plan-endpoints.ts';
import { endpointVersionsOf } from '../../../store/plans/plan-pages.ts';
import { findPlan } from '../../../store/plans/plans.ts';
import { countParameter } from '../page.ts';
import { RetryRequest } from '../retries/retry-request.ts';
import { acceptPlan, PLAN_PROBLEMS } from './accept-plan.ts';
import { PLAN_ENDPOINTS, planEndpointsView } from './plan-endpoints-view.ts';
import { planPolicy } from './plan-policy.ts';
import { driftView, PlanSummary, planSummary } from './plan-view.ts';

const PATH = '/api/v1/retries/plans';
const MAX_ENDPOINTS = 100;
const MAX_WAIT_SECONDS = 10;
const POLL_MS = 150;

const PlanDetails = PlanSummary.extend({
  identity: z
    .looseObject({})
    .nullable()
    .meta({
      description:
        'What `planHash` is the SHA-256 of, once it is planned: this object as RFC 8785 JSON, so that anybody can compute it again.',
      example: { v: 1, items: 700 },
    }),
  ...PLAN_ENDPOINTS,
}).meta({ id: 'Plan', description: 'What a retry or replay would do.' });

const Execution = z
  .strictObject({
    planHash: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/)
      .transform((text) => text.toLowerCase())
      .meta({
        description:
          '`planHash` of the plan that was looked at: what it shows is executed, and nothing else.',
        example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      }),
    maxDriftPercent: z.number().min(0).max(100).optional().meta({
      description:
        'The share of its deliveries that may be gone: beyond it nothing is sent, and the plan stays. Any share where left out.',
      example: 5,
    }),
  })
  .meta({ id: 'PlanExecution' });

/** The parameters of a path that ends in a plan, by its own name or that of its operation. */
export const planParams = z.strictObject({
  id: z
    .string()
    .transform((text, context) => {
      const id = (readId('plan', text) as string | undefined) ?? readId('operation', text);
      if (id !== undefined) return id as Id<'operation'>;
      context.addIssue({
        code: 'custom',
        message: 'Expected an id such as pln_01k9z3e5hbe7r9qk2m4n6p8r0s, or its uuid.',
        params: { code: 'wrong_format' },
      });
      return z.NEVER;
    })
    .meta({ description: 'Id of the plan.', example: 'pln_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
});

/** Plans: made, shown and executed. */
export function planRoutes(deps: ApiDeps): Route[] {
  const { pool, sealer } = deps;
  const tag = 'Plans';
  const write = { tag, access: { of: 'tenant', scope: 'write:deliveries', part: 'recover:plans' } } as const;
  return [
    route({
      ...write,
      method: 'post',
      path: PATH,
      summary: 'Plan a retry or replay',
      description:
        'Answers at once; the plan is then made, and waits 24 hours for its execution. Nothing is sent, and nobody else is kept from its deliveries. Its body is that of a retry.',
      request: { body: RetryRequest },
      headers: {
        'Idempotency-Key': {
          description: 'Makes repeating the request safe for 24 hours.',
          example: 'a7f3c1d2-outage-2026-11-03',
        },
      },
      responses: {
        201: {
          description: 'The plan, which is being made.',
          schema: PlanSummary,
          headers: {
            'Idempotency-Replayed': '`true` where this is the stored answer to an earlier request.',
          },
        },
      },
      problems: [...PLAN_PROBLEMS],
      handler: (call) => acceptPlan(deps, call, call.body.dryRun ? 'dry_run' : 'plan', PATH),
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'read:deliveries' },
      method: 'get',
      path: `${PATH}/{id}`,
      summary: 'Show a plan',
      takesTurn: false,
      request: {
        params: planParams,
        query: z.strictObject({
          wait: countParameter(
            0,
            MAX_WAIT_SECONDS,
            0,
            'Seconds to wait at most while the plan is being made.',
          ),
        }),
      },
      responses: { 200: { description: 'The plan.', schema: PlanDetails } },
      async handler({ params: { id }, query: { wait }, tenant, caller }) {
        const found = await planned(tenant.id, id, wait * 1_000);
        if (!found) return problem('not_found');
        const { operation, plan } = found;
        const policy = await planPolicy(pool, operation, plan);
        const endpoints = await planEndpoints(pool, id, MAX_ENDPOINTS);
        return {
          status: 200,
          body: {
            ...planSummary(operation, plan, policy),
            identity: plan.planned ? await identityOf(operation, plan) : null,
            ...planEndpointsView(endpoints, {
              sealer,
              operation,
              endpointCount: plan.endpointCount,
              mayRead: hasScope(caller.scopes, 'read:endpoints'),
              awaitsApproval: policy.awaitsApproval,
            }),
          },
        };
      },
    }),
    route({
      ...write,
      method: 'post',
      path: `${PATH}/{id}/execute`,
      summary: 'Execute a plan',
      description:
        'Each of its deliveries becomes an item of its operation or is left out with the reason; nothing else is sent. Where a policy asks for words or approval, it waits for these first (`awaiting_approval`). Another execution of the same plan answers as the first.',
      request: { params: planParams, body: Execution },
      responses: { 202: { description: 'It goes on as its operation.', schema: PlanSummary } },
      problems: ['quota_exceeded', 'state_conflict', 'plan_changed', 'drift_too_large'],
      async handler({ params: { id }, body, tenant, caller }) {
        const { planHash, maxDriftPercent } = body;
        const result = await executePlan(
          deps,
          tenant.id,
          id,
          { planHash, ...(maxDriftPercent === undefined ? {} : { maxDriftPercent }) },
          caller,
        );
        return result.ok
          ? {
              status: 202,
              body: planSummary(
                result.operation,
                result.plan,
                await planPolicy(pool, result.operation, result.plan),
              ),
            }
          : refusalOf(result);
      },
    }),
  ];

  /** A plan, once it is made, or as it is when the time is over. */
  async function planned(
    tenantId: Id<'tenant'>,
    id: Id<'operation'>,
    withinMs: number,
  ): Promise<{ operation: Operation; plan: Plan } | undefined> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      const plan = await findPlan(pool, tenantId, id);
      const operation = plan && (await findOperation(pool, tenantId, id));
      if (!operation || !plan) return undefined;
      const isMade = plan.planned !== undefined || operation.state !== 'planned';
      if (isMade || performance.now() >= untilMs || deps.shutdown.aborted) return { operation, plan };
      await delay(POLL_MS);
    }
  }

  async function identityOf(operation: Operation, { planned, ...plan }: Plan) {
    if (!planned) return null;
    const { itemsDigest, risksDigest } = planned;
    const endpointVersions = await endpointVersionsOf(pool, operation.id);
    const { watermark, items } = plan;
    return { ...planIdentity(operation, { watermark, items, itemsDigest, risksDigest, endpointVersions }) };
  }
}

const WHY = {
  planning:
    'The plan is still being made: look at it until it is `planned`, and execute it by its `planHash`.',
  expired: 'The plan waited for its execution and is over: make a new one.',
} as const;

function refusalOf(refused: Extract<ExecuteResult, { ok: false }>): Problem {
  switch (refused.code) {
    case 'drift_too_large':
      return problem('drift_too_large', { drift: driftView(refused.drift) });
    case 'quota_exceeded':
      return quotaExceeded(refused.beyond);
    case 'state_conflict':
      return problem('state_conflict', {
        detail:
          refused.why === 'state'
            ? `The plan is \`${refused.state}\`, where this is not possible.`
            : WHY[refused.why],
      });
    default:
      return problem(refused.code);
  }
}

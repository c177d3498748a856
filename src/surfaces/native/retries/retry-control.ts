import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { refusedScope } from '../../../api/authentication/authentication.ts';
import type { Caller, TenantRef } from '../../../api/authentication/caller.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import { quotaExceeded } from '../../../api/problems/quota-exceeded.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { type ControlCommand, controlOperation } from '../../../operations/control-operation.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { findPlan } from '../../../store/plans/plans.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { idParams } from '../fields.ts';
import { idsOfNames, nameField, unknownNames } from '../names.ts';
import { OperationView, operationView } from './operation-view.ts';
import type { ProgressRate } from './progress-rate.ts';

const ControlledOperation = OperationView.extend({
  inFlight: z
    .int()
    .meta({ description: 'Requests on the wire at this moment: they are never aborted.', example: 3 }),
}).meta({ id: 'ControlledOperation' });

const CONTROLS = [
  { verb: 'pause', summary: 'Pause an operation: nothing more is sent until it is resumed' },
  { verb: 'cancel', summary: 'Cancel the unsent items of an operation, and close it' },
] as const;

const limit = z.number().min(0.01).max(100_000).nullable();

const RateChange = z
  .strictObject({
    ratePerSecond: limit.optional().meta({
      description: 'Requests per second at most, over all endpoints; null lifts the limit.',
      example: 50,
    }),
    perSecond: limit
      .optional()
      .meta({ description: 'The same under its earlier name.', example: 50, deprecated: true }),
  })
  .refine(({ ratePerSecond, perSecond }) => (ratePerSecond === undefined) !== (perSecond === undefined), {
    path: ['ratePerSecond'],
    message: 'This member is required, and alone.',
    params: { code: 'required' },
  })
  .meta({ id: 'RateChange' });

const Resumption = z
  .strictObject({
    endpointIds: z
      .array(nameField('endpoint', 'An endpoint, by id or handle.'))
      .min(1)
      .max(1_000)
      .optional()
      .meta({ description: 'The endpoints that alone go on; all where left out.' }),
  })
  .meta({ id: 'Resumption' });

/** Who may only recover by plans steers the plans that are their own. */
export async function refusedControl(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  caller: Caller,
): Promise<Problem | undefined> {
  const refusal = refusedScope(caller, 'write:deliveries');
  if (!refusal) return undefined;
  const operation = await findOperation(db, tenantId, operationId);
  if (!operation) return problem('not_found');
  const isOwn = operation.requestedBy === caller.actor && (await findPlan(db, tenantId, operationId));
  return isOwn
    ? undefined
    : {
        ...refusal,
        detail:
          'With the scope `recover:plans` one steers the plans that one has made: this is none of them.',
      };
}

type ControlCall = {
  params: { id: Id<'operation'> };
  tenant: TenantRef;
  caller: Caller;
};

const PATH = '/api/v1/retries';
const params = idParams('operation', 'Id of the operation.');

/** Steers operations: each command is committed first, and then followed within a second. */
export function retryControlRoutes(deps: ApiDeps, rate: ProgressRate): Route[] {
  const write = {
    tag: 'Retries',
    access: { of: 'tenant', scope: 'write:deliveries', part: 'recover:plans' },
  } as const;
  return [
    ...CONTROLS.map(({ verb, summary }) =>
      route({
        ...write,
        method: 'post',
        path: `${PATH}/{id}/${verb}`,
        summary,
        request: { params },
        responses: { 200: { description: 'The operation as it is now.', schema: ControlledOperation } },
        problems: ['state_conflict'],
        handler: (call) => control(call, { do: verb }),
      }),
    ),
    route({
      ...write,
      method: 'post',
      path: `${PATH}/{id}/resume`,
      summary: 'Resume a paused or halted operation',
      description:
        'With `endpointIds` an operation that has a canary goes on at these endpoints alone, where a new canary goes first; what it has unsent for others is held until it is resumed again. Once nothing but that is left, it is halted.',
      request: { params, body: Resumption },
      bodyOptional: true,
      responses: { 200: { description: 'The operation as it is now.', schema: ControlledOperation } },
      problems: ['state_conflict', 'unknown_ids'],
      async handler({ body: { endpointIds }, ...call }) {
        if (!endpointIds) return control(call, { do: 'resume' });
        const named = await idsOfNames(deps.pool, call.tenant.id, 'endpoint', endpointIds);
        if ('unknown' in named)
          return unknownNames(named.unknown.map((index) => ({ pointer: `#/endpointIds/${index}` })));
        const operation = await findOperation(deps.pool, call.tenant.id, call.params.id);
        if (operation && !operation.options.canary)
          return problem('state_conflict', {
            detail:
              'This operation has no canary, by which endpoints are held: leave `endpointIds` out to resume it as a whole.',
          });
        return control(call, { do: 'resume', only: named.ids });
      },
    }),
    route({
      ...write,
      method: 'post',
      path: `${PATH}/{id}/rate`,
      summary: 'Change how fast an operation sends',
      request: {
        params,
        body: RateChange,
      },
      responses: { 200: { description: 'The operation as it is now.', schema: ControlledOperation } },
      problems: ['state_conflict', 'needs_approval', 'quota_exceeded'],
      handler: ({ body: { ratePerSecond, perSecond }, ...call }) =>
        control(call, { do: 'rate', ratePerSecond: ratePerSecond ?? perSecond ?? null }),
    }),
  ];

  async function control(
    { params: { id }, tenant, caller }: ControlCall,
    command: ControlCommand,
  ): Promise<Reply | Problem> {
    const refused = await refusedControl(deps.pool, tenant.id, id, caller);
    if (refused) return refused;
    const result = await controlOperation(deps, tenant.id, id, command, caller);
    if (result.ok) {
      const [operation = result.operation] = await withWaits(deps.pool, [result.operation]);
      return {
        status: 200,
        body: {
          ...operationView(operation, rate.observe(operation, performance.now())),
          inFlight: result.inFlight,
        },
      };
    }
    if (result.code === 'quota_exceeded') return quotaExceeded(result.beyond);
    if (result.code !== 'state_conflict') return problem(result.code);
    return problem('state_conflict', {
      detail: `The operation is \`${result.state}\`, where this is not possible.`,
    });
  }
}

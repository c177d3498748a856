import type { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { refusedScope } from '../../../api/authentication/authentication.ts';
import type { Caller } from '../../../api/authentication/caller.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { quotaExceeded } from '../../../api/problems/quota-exceeded.ts';
import {
  keyedRequest,
  keyRequired,
  readIdempotencyKey,
  replayedHeaders,
} from '../../../api/requests/idempotency.ts';
import type { Call } from '../../../api/route.ts';
import type { AskedPlan } from '../../../domain/operations/plan.ts';
import { acceptOperation } from '../../../operations/accept-operation.ts';
import type { AcceptRequest } from '../../../operations/accepting/accept-request.ts';
import { outageSelection } from '../../../store/outages/outages.ts';
import { type UnknownInFilter, unknownInFilter } from '../../../store/selection/known-ids.ts';
import { unknownNames } from '../names.ts';
import {
  needsKey,
  optionsOf,
  pointersInFilter,
  pointersOf,
  selectionOf,
  withoutNames,
} from './asked-selection.ts';
import type { RetryRequest } from './retry-request.ts';

const SURFACE = 'native';

/** A call with the body of a retry. */
export type RetryCall = Pick<Call, 'rawBody' | 'rawParams' | 'header'> & {
  body: Omit<z.output<typeof RetryRequest>, 'dryRun'>;
  tenant: AcceptRequest['tenant'];
  caller: Caller;
};

/** The answer to a retry that was accepted; `path` is that of the route, to which an idempotency key belongs. */
export async function acceptRetry(
  deps: ApiDeps,
  { body, rawBody, rawParams, header, tenant, caller }: RetryCall,
  {
    path = '/api/v1/retries',
    plan,
    render,
  }: { path?: string; plan?: AskedPlan; render: AcceptRequest['render'] },
): Promise<{ json: string; headers: Record<string, string> } | Problem> {
  const { pool } = deps;
  if (body.emergency) {
    if (plan !== undefined)
      return problem('invalid_request', {
        errors: [
          {
            pointer: '#/emergency',
            code: 'not_allowed',
            message: 'A plan sends nothing: once it waits for approval, `POST …/emergency` lets it run.',
          },
        ],
      });
    const refused = refusedScope(caller, 'approve:emergency');
    if (refused) return refused;
  }
  const key = readIdempotencyKey(header('idempotency-key'));
  if (typeof key === 'object') return key;
  // A plan sends nothing: two of them do no harm.
  if (key === undefined && plan === undefined && needsKey(body.select)) return keyRequired();
  const select = await withoutNames(pool, tenant.id, body.select);
  if (isProblem(select)) return select;
  const selection =
    select.outage === undefined ? selectionOf(select) : await outageSelection(pool, tenant.id, select.outage);
  if (selection === undefined) return unknownNames([{ pointer: '#/select/outage' }]);
  const result = await acceptOperation<UnknownInFilter[]>(deps, {
    tenant,
    surface: SURFACE,
    kind: body.mode,
    target: body.target,
    newIdentity: body.newIdentity ?? false,
    selection,
    options: optionsOf(body),
    caller,
    async before(db) {
      if (!('filter' in selection)) return undefined;
      const unknown = await unknownInFilter(db, tenant.id, selection.filter);
      return unknown.length === 0 ? undefined : unknown;
    },
    ...(plan === undefined ? {} : { plan }),
    ...(body.emergency ? { emergency: true } : {}),
    ...(body.reason === undefined ? {} : { reason: body.reason }),
    ...(body.ticket === undefined ? {} : { ticket: body.ticket }),
    ...(key === undefined
      ? {}
      : {
          idempotency: keyedRequest(
            key,
            { tenantId: tenant.id, surface: SURFACE, path },
            { params: rawParams, body: rawBody },
          ),
        }),
    render,
  });
  if (result.ok) return { json: result.body, headers: replayedHeaders(result.replayed) };
  if (result.code === 'idempotency_key_reused') return problem('idempotency_key_reused');
  if (result.code === 'quota_exceeded') return quotaExceeded(result.beyond);
  const pointers =
    result.code === 'refused' ? pointersInFilter(body, result.refusal) : pointersOf(body, result.ids);
  return unknownNames(pointers.map((pointer) => ({ pointer })));
}

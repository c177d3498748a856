import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Caller, TenantRef } from '../../../api/authentication/caller.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import { quotaExceeded } from '../../../api/problems/quota-exceeded.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import type { ApproverRefusal } from '../../../domain/policy/approver.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import {
  sayTo,
  type VerdictCommand,
  type VerdictResult,
} from '../../../operations/policy/approve-operation.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { idParams, wordsField } from '../fields.ts';
import { OperationView, operationView } from '../retries/operation-view.ts';
import type { ProgressRate } from '../retries/progress-rate.ts';
import { refusedControl } from '../retries/retry-control.ts';
import { HoldView, holdView } from './hold-view.ts';

const PATH = '/api/v1/retries/{id}';

const Judged = OperationView.extend({ approval: HoldView }).meta({ id: 'JudgedOperation' });

const comment = (description: string) => wordsField(1_000, description, 'checked with support');

const Approve = z
  .strictObject({
    planHash: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/)
      .transform((text) => text.toLowerCase())
      .meta({
        description: '`planHash` of what was looked at: nothing else is approved.',
        example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      }),
    comment: comment('Words for the record.').optional(),
  })
  .meta({ id: 'Approve' });

const Reject = z.strictObject({ comment: comment('Why not.') }).meta({ id: 'Reject' });

const Emergency = z
  .strictObject({ reason: wordsField(1_000, 'Why it cannot wait.', 'customers are without service') })
  .meta({ id: 'Emergency' });

const Explain = z
  .strictObject({
    reason: wordsField(1_000, 'The reason, where it is missing.', 'endpoint was down').optional(),
    ticket: wordsField(255, 'The ticket, where it is missing.', 'OPS-42').optional(),
  })
  .refine(({ reason, ticket }) => reason !== undefined || ticket !== undefined, {
    path: ['reason'],
    message: 'Expected `reason`, `ticket` or both.',
    params: { code: 'required' },
  })
  .meta({ id: 'Explain' });

type VerdictCall = { params: { id: Id<'operation'> }; tenant: TenantRef; caller: Caller };

/** What others say to an operation that a policy holds, and the words that it lacks. */
export function verdictRoutes(deps: ApiDeps, rate: ProgressRate): Route[] {
  const tag = 'Policy';
  const params = idParams('operation', 'Id of the operation.');
  const responses = { 200: { description: 'The operation as it is now.', schema: Judged } };
  return [
    route({
      tag,
      access: { of: 'tenant', scope: 'approve:retries' },
      method: 'post',
      path: `${PATH}/approve`,
      summary: 'Approve an operation that waits for it',
      description:
        'By the hash of what its plan shows. Each actor counts once; never who has asked for it, by whatever credential, nor who has a credential that the requester made: administrators included. With the last approval it goes on, after its drift was looked at once more.',
      request: { params, body: Approve },
      responses,
      problems: ['state_conflict', 'plan_changed', 'approver_refused', 'quota_exceeded'],
      handler: ({ body, ...call }) =>
        say(call, {
          do: 'approve',
          planHash: body.planHash,
          ...(body.comment === undefined ? {} : { comment: body.comment }),
        }),
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'approve:retries' },
      method: 'post',
      path: `${PATH}/reject`,
      summary: 'Reject an operation that waits for approval, and end it',
      description: 'One rejection is enough: it is cancelled, and nothing of it was sent.',
      request: { params, body: Reject },
      responses,
      problems: ['state_conflict'],
      handler: ({ body, ...call }) => say(call, { do: 'reject', comment: body.comment }),
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'approve:emergency' },
      method: 'post',
      path: `${PATH}/emergency`,
      summary: 'Let an operation run that waits for approval',
      description: 'Whoever may do this may do it for what they have asked for, too. It stays on the report.',
      request: { params, body: Emergency },
      responses,
      problems: ['state_conflict', 'quota_exceeded'],
      handler: ({ body, ...call }) => say(call, { do: 'emergency', reason: body.reason }),
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'write:deliveries', part: 'recover:plans' },
      method: 'post',
      path: `${PATH}/explain`,
      summary: 'Give the reason or the ticket that an operation waits for',
      request: { params, body: Explain },
      responses,
      problems: ['state_conflict', 'quota_exceeded'],
      async handler({ body, ...call }) {
        const refused = await refusedControl(deps.pool, call.tenant.id, call.params.id, call.caller);
        if (refused) return refused;
        return say(call, {
          do: 'explain',
          ...(body.reason === undefined ? {} : { reason: body.reason }),
          ...(body.ticket === undefined ? {} : { ticket: body.ticket }),
        });
      },
    }),
  ];

  async function say(
    { params: { id }, tenant, caller }: VerdictCall,
    command: VerdictCommand,
  ): Promise<Reply | Problem> {
    const result = await sayTo(deps, tenant.id, id, command, caller);
    if (!result.ok) return refusalOf(result);
    const [operation = result.operation] = await withWaits(deps.pool, [result.operation]);
    return {
      status: 200,
      body: {
        ...operationView(operation, rate.observe(operation, performance.now())),
        approval: holdView(result.hold),
      },
    };
  }
}

const WHY: Record<ApproverRefusal, string> = {
  no_actor:
    'Who approves has to be somebody: use the token of a person, or a key that was made with an `actor`.',
  own_request: 'Nobody approves what they have asked for themselves: somebody else has to.',
  own_key: 'This key has asked for it: somebody else has to approve.',
  made_by_requester:
    'This credential was made by whoever has asked for it: one that somebody else made has to approve.',
};

function refusalOf(refused: Extract<VerdictResult, { ok: false }>): Problem {
  switch (refused.code) {
    case 'approver_refused':
      return problem('approver_refused', { detail: WHY[refused.why] });
    case 'ticket_form':
      return problem('invalid_request', {
        errors: [
          {
            pointer: '#/ticket',
            code: 'wrong_format',
            message: 'Expected a ticket of the form that the policy asks for (GET /api/v1/me).',
          },
        ],
      });
    case 'quota_exceeded':
      return quotaExceeded(refused.beyond);
    case 'nothing_missing':
      return problem('state_conflict', { detail: 'The operation lacks none of these words.' });
    case 'state_conflict':
      return problem('state_conflict', {
        detail: `The operation is \`${refused.state}\`: it does not wait for this.`,
      });
    default:
      return problem(refused.code);
  }
}

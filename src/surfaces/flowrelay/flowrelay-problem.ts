import { z } from 'zod';
import { type Problem, ProblemSchema } from '../../api/problems/problem.ts';
import { PROBLEMS } from '../../api/problems/problem-table.ts';
import type { RenderedProblem } from '../../api/problems/rendered-problem.ts';
import type { Reply } from '../../api/reply.ts';
import type { RouteResponse } from '../../api/route.ts';
import { GRANT_SCOPES, GRANTS, type Grant } from '../../domain/tenancy/grant.ts';
import { hasScope, type Scope } from '../../domain/tenancy/scope.ts';
import { alias, showId } from '../../domain/tenancy/typed-id.ts';
import { shownId } from '../native/fields.ts';
import { isBeyondProduct } from './domain/product-boundary.ts';
import {
  REFUSAL_REASONS,
  type RefusalReason,
  type ReplayRefusal,
  type ReplayRefusalCode,
  refusalCode,
} from './domain/replay-refusal.ts';
import { SenderResendView } from './sender-resend-schema.ts';

const CONTENT_TYPE = 'application/problem+json; charset=utf-8';
/** More errors help nobody. */
const MAX_ERRORS = 100;

/** Status and title of each refusal of a replay, and of a key that stands for another replay. */
const REFUSALS: Record<ReplayRefusalCode | 'idempotency_conflict', { status: number; title: string }> = {
  missing_scope: { status: 403, title: 'Missing scope' },
  unsafe_state: { status: 409, title: 'Unsafe state' },
  expired_retention: { status: 410, title: 'Expired retention' },
  usage_limit: { status: 429, title: 'Usage limit' },
  product_boundary: { status: 422, title: 'Product boundary' },
  idempotency_conflict: { status: 409, title: 'Idempotency conflict' },
};

const DETAILS: Record<RefusalReason, string> = {
  not_terminal:
    'Processing is not terminal yet: wait for reconciliation or inspect diagnostics. No confirmation makes this safe.',
  suppressed_duplicate:
    'This repeats an earlier request, which stands for it: `firstReceiptId` is the receipt to look at.',
  resent:
    'The sender sent this event again before anything was ready for it, and the later request stands for it: `resentReceiptId` is the receipt to replay.',
  endpoint_deleted:
    'The endpoint is deleted: nothing is sent there again. Ask the sender to resend; `senderResend` says what becomes of that.',
  not_ready: 'The present endpoint configuration is not ready for this event: correct it and preview again.',
  not_confirmed: 'This replay was previewed and not confirmed: confirm it first.',
  duplicate_risk_not_confirmed:
    'Processing may already have started: confirm the duplicate risk explicitly with `confirmDuplicateRisk: true`.',
  preview_expired: 'The preview is too old to act on: preview again, under a new key.',
  changed_since_preview:
    'Target, payload, endpoint version, event or state are not what was previewed: preview again, under a new key.',
  actor_changed: 'This replay was previewed by somebody else: preview it yourself, under a new key.',
  nothing_to_send:
    'Nothing is left to send here: something else took it up meanwhile. Look at the receipt, and preview again under a new key where that is still wanted.',
  payload_gone:
    'The payload is no longer kept, and the receipt stays. Ask the sender to resend; `senderResend` says what becomes of that under the same id.',
  replays_per_day:
    'As many replays as the tenant may have in 24 hours were executed: come back after `Retry-After`, or have the limit raised.',
  quota_exceeded:
    'This installation does not allow so much at a time, or so fast: replay to fewer endpoints, or later.',
  rejected_request:
    'This request was rejected: there is no trusted accepted event to replay. Ask the sender to resend.',
  other_target:
    'A replay goes to where the event was accepted for and to nowhere else: name an endpoint of the receipt.',
  not_offered:
    'A replay sends the accepted event unchanged, once, to its current endpoint; what `errors` names is not offered.',
};

const FlowRelayProblem = z
  .strictObject({
    type: z.string().meta({
      description: 'Name of the error; ends with its code.',
      example: 'urn:flowrelay:error:unsafe_state',
    }),
    title: z.string().meta({ description: 'The error in a few words.', example: 'Unsafe state' }),
    status: z.int().meta({ description: 'The HTTP status again.', example: 409 }),
    code: z
      .enum([
        ...Object.keys(REFUSALS),
        ...Object.keys(PROBLEMS).filter((code) => !['insufficient_scope'].includes(code)),
      ] as [string, ...string[]])
      .meta({ description: 'Stable code of the error: branch on this.', example: 'unsafe_state' }),
    detail: z.string().meta({
      description: 'Explains this error, and says what to do about it.',
      example: 'This replay was previewed and not confirmed: confirm it first.',
    }),
    instance: z.string().meta({
      description: 'Id of the request; also in the header `Request-Id` and in the logs.',
      example: 'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
    }),
    reason: z
      .enum(Object.keys(REFUSAL_REASONS) as [RefusalReason, ...RefusalReason[]])
      .optional()
      .meta({ description: 'The exact reason why a replay is refused.', example: 'not_confirmed' }),
    freshPreviewRequired: z
      .boolean()
      .optional()
      .meta({ description: 'Only a fresh preview, under a new key, goes on from here.', example: true }),
    requiredScope: z
      .string()
      .optional()
      .meta({ description: 'The scope that was missing.', example: 'replay:receipts' }),
    grants: z
      .array(z.enum(GRANTS))
      .optional()
      .meta({ description: 'The grants that have it.', example: ['recovery_operator', 'admin'] }),
    firstReceiptId: shownId(
      'receipt',
      'The receipt of the first request, of which this is a repeat.',
    ).optional(),
    resentReceiptId: shownId(
      'receipt',
      'The receipt of the later request that stands for this one.',
    ).optional(),
    senderResend: SenderResendView.optional(),
    errors: ProblemSchema.shape.errors,
  })
  .meta({ id: 'FlowRelayProblem', description: 'An error of the FlowRelay calls (RFC 9457).' });

/** The errors that any call can answer; `refusals` adds those of replays. */
export function errorResponses(...more: number[]): Record<number, RouteResponse> {
  const described: Record<number, string> = {
    400: 'The request is not as expected.',
    401: 'The credential is missing, unknown, expired or revoked.',
    403: '`missing_scope`.',
    404: 'Nothing with this id belongs to the tenant.',
    409: '`unsafe_state` or `idempotency_conflict`.',
    410: '`expired_retention`.',
    413: 'The body is too large.',
    415: 'The body is not JSON.',
    422: '`product_boundary`.',
    429: '`usage_limit`, or too many requests.',
    500: 'An internal error.',
    503: 'Temporarily unavailable.',
  };
  return Object.fromEntries(
    [400, 401, 403, 404, 422, 429, 500, 503, ...more].map((status) => [
      status,
      {
        description: described[status] ?? '',
        schema: FlowRelayProblem,
        contentType: 'application/problem+json',
      },
    ]),
  );
}

/** The further errors of a call that takes a body. */
export const BODY_ERRORS = [413, 415];

/** The further errors of a call that replays. */
export const REPLAY_ERRORS = [409, 410];

/** Renders an error in the words of this surface: RFC 9457, with its own codes where it has one. */
export function renderFlowRelayProblem(failure: Problem, requestId: string): RenderedProblem {
  if (failure.problem === 'insufficient_scope') {
    const scope = failure.part ?? failure.scope;
    return rendered('missing_scope', requestId, {
      detail: failure.part
        ? `This call needs the scope \`${failure.part}\`: use a key that was made with a grant that has it.`
        : (failure.detail ?? PROBLEMS.insufficient_scope.advice),
      ...(scope ? { requiredScope: scope, grants: grantsWith(scope) } : {}),
    });
  }
  const beyond = failure.errors?.filter(
    ({ code, pointer, parameter }) =>
      code === 'unknown_field' && isBeyondProduct(parameter ?? pointer?.replace(/^.*\//, '') ?? ''),
  );
  if (failure.problem === 'invalid_request' && beyond && beyond.length > 0)
    return rendered('product_boundary', requestId, {
      detail: DETAILS.not_offered,
      reason: 'not_offered',
      errors: beyond,
    });
  const { problem: code, detail, errors, headers } = failure;
  const { status, title, advice } = PROBLEMS[code];
  return {
    ...problemOf(
      { status, title, code, instance: requestId, detail: detail ?? advice },
      errors && { errors },
    ),
    ...(headers ? { headers } : {}),
  };
}

/** The grants that have a scope, or the whole that it is a part of. */
function grantsWith(scope: Scope): Grant[] {
  return GRANTS.filter((grant) => hasScope(GRANT_SCOPES[grant], scope));
}

const FIRST_GONE =
  'This repeats an earlier request, whose receipt is not there any more. Ask the sender to resend; `senderResend` says what becomes of that under the same id.';

function detailOf({ reason, firstEventId }: ReplayRefusal): string {
  return reason === 'suppressed_duplicate' && firstEventId === undefined ? FIRST_GONE : DETAILS[reason];
}

/** Answers that a replay is refused. */
export function refusalReply(refusal: ReplayRefusal, requestId: string): Reply {
  const seconds = refusal.retryAfterSeconds;
  return replyOf(
    rendered(refusalCode(refusal), requestId, {
      detail: detailOf(refusal),
      reason: refusal.reason,
      ...(refusal.freshPreview ? { freshPreviewRequired: true } : {}),
      ...(refusal.resentAs ? { resentReceiptId: showId('receipt', alias('receipt', refusal.resentAs)) } : {}),
      ...(refusal.senderResend ? { senderResend: refusal.senderResend } : {}),
      ...(refusal.firstEventId
        ? { firstReceiptId: showId('receipt', alias('receipt', refusal.firstEventId)) }
        : {}),
    }),
    seconds === undefined ? {} : { 'retry-after': String(seconds) },
  );
}

/** Answers that the key is not the one of this replay: it stands for another request, or for none. */
export function keyConflictReply(requestId: string, why: 'key_conflict' | 'key_unused'): Reply {
  const told = {
    key_conflict:
      'Stop: this key belongs to another replay, or was used by somebody else. One key goes from the preview to the execution; a fresh preview takes a new one.',
    key_unused:
      'Stop: this replay was previewed under another key, and this one stands for nothing yet. Send the key of its preview, or preview again under this one.',
  };
  return replyOf(rendered('idempotency_conflict', requestId, { detail: told[why] }));
}

function replyOf({ status, body = '' }: RenderedProblem, headers: Record<string, string> = {}): Reply {
  return { status, text: body, contentType: CONTENT_TYPE, headers };
}

function rendered(
  code: keyof typeof REFUSALS,
  instance: string,
  { detail, ...more }: Partial<Body> & { detail: string },
): RenderedProblem {
  return problemOf({ ...REFUSALS[code], code, instance, detail }, more);
}

type Body = z.input<typeof FlowRelayProblem>;

function problemOf(
  { status, title, code, detail, instance }: Omit<Body, 'type'>,
  { errors, ...more }: Partial<Body> = {},
): RenderedProblem {
  const type = `urn:flowrelay:error:${code}`;
  const shown = errors ? { errors: errors.slice(0, MAX_ERRORS) } : {};
  return {
    status,
    contentType: CONTENT_TYPE,
    body: JSON.stringify({ type, title, status, code, detail, instance, ...more, ...shown }),
  };
}

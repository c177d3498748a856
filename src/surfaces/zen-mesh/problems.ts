import { z } from 'zod';
import { type FieldError, MAX_ERRORS, type Problem } from '../../api/problems/problem.ts';
import { PROBLEMS, type ProblemCode } from '../../api/problems/problem-table.ts';
import type { RenderedProblem } from '../../api/problems/rendered-problem.ts';
import type { ProblemContext } from '../../api/surface.ts';

/** A problem with the members that only this surface tells. */
export interface ZenProblem extends Problem {
  /** The least plan that would do. */
  requiredPlan?: string;
  /** The key that belongs to another request. */
  idempotencyKey?: string;
}

const TYPES = 'https://api.zen-mesh.io/errors/';
const CONTENT_TYPE = 'application/problem+json';
/** An id can be as long as a path; an answer need not repeat it. */
const MAX_SHOWN_ID = 100;

/** The kinds of error that its documents name. */
const KINDS = {
  authentication: { status: 401, title: 'Authentication Failed' },
  'insufficient-scope': { status: 403, title: 'Insufficient Scope' },
  'plan-required': { status: 403, title: 'Plan Required' },
  'not-found': { status: 404, title: 'Not Found' },
  conflict: { status: 409, title: 'Conflict' },
  'idempotency-conflict': { status: 409, title: 'Idempotency Conflict' },
  'invalid-parameters': { status: 422, title: 'Invalid Parameters' },
  'rate-limited': { status: 429, title: 'Rate Limited' },
  'internal-error': { status: 500, title: 'Internal Error' },
} as const;

type Kind = keyof typeof KINDS;

/** A status that its documents do not have becomes the nearest that they have. */
const KIND_OF: Record<ProblemCode, Kind> = {
  malformed_json: 'invalid-parameters',
  nested_too_deep: 'invalid-parameters',
  invalid_request: 'invalid-parameters',
  invalid_cursor: 'invalid-parameters',
  tenant_required: 'invalid-parameters',
  idempotency_key_required: 'invalid-parameters',
  idempotency_key_invalid: 'invalid-parameters',
  endpoint_url_refused: 'invalid-parameters',
  term_too_short: 'invalid-parameters',
  credential_missing: 'authentication',
  credential_invalid: 'authentication',
  credential_expired: 'authentication',
  credential_revoked: 'authentication',
  session_ended: 'authentication',
  sign_in_code_refused: 'authentication',
  ack_refused: 'authentication',
  insufficient_scope: 'insufficient-scope',
  tls_required: 'insufficient-scope',
  cross_origin_refused: 'insufficient-scope',
  // Its own 403 names a scope or a plan that would do: here none would.
  quota_exceeded: 'rate-limited',
  not_found: 'not-found',
  unknown_ids: 'not-found',
  route_not_found: 'not-found',
  method_not_allowed: 'not-found',
  handle_taken: 'conflict',
  state_conflict: 'conflict',
  approver_refused: 'insufficient-scope',
  import_open: 'conflict',
  lines_missing: 'conflict',
  needs_approval: 'conflict',
  drift_too_large: 'conflict',
  pruned: 'conflict',
  plan_changed: 'conflict',
  policy_changed: 'conflict',
  settings_changed: 'conflict',
  body_too_large: 'invalid-parameters',
  payload_too_large: 'invalid-parameters',
  too_many_members: 'invalid-parameters',
  unsupported_media_type: 'invalid-parameters',
  unsupported_content_encoding: 'invalid-parameters',
  idempotency_key_reused: 'idempotency-conflict',
  rate_limited: 'rate-limited',
  internal: 'internal-error',
  temporarily_unavailable: 'internal-error',
};

/** The details where the words of the native API would name something that this one does not have. */
const DETAILS: Partial<Record<ProblemCode, string>> = {
  credential_missing: 'Send `Authorization: Bearer <API key or JWT>` or `X-API-Key: <API key>`.',
  invalid_cursor:
    'Send `next_cursor` as it was answered, with the same filter, or begin again without a cursor.',
  tenant_required: 'This credential belongs to no tenant: name one in the header `X-Tenant-ID`.',
  not_found: 'Not found.',
  method_not_allowed: 'This path has no such method.',
  idempotency_key_reused: 'Idempotency-Key was used with a different set of delivery IDs.',
};

/** Renders every error in the words of the surface (RFC 9457). */
export function renderZenProblem(failure: ZenProblem, context: ProblemContext): RenderedProblem {
  const { requestId, url } = context;
  const kind = kindOf(failure, context);
  const detail =
    failure.problem === 'route_not_found'
      ? unservedPath(url)
      : (failure.detail ?? DETAILS[failure.problem] ?? PROBLEMS[failure.problem].advice);
  const body = {
    type: `${TYPES}${kind}`,
    title: KINDS[kind].title,
    status: KINDS[kind].status,
    detail,
    ...extensions(kind, failure, requestId),
  };
  return {
    status: body.status,
    contentType: CONTENT_TYPE,
    body: JSON.stringify(body),
    ...(failure.headers ? { headers: failure.headers } : {}),
  };
}

function kindOf(failure: ZenProblem, { route }: ProblemContext): Kind {
  if (failure.requiredPlan !== undefined) return 'plan-required';
  // Before a route is found only the path can be wrong, and an id in it that cannot be read names nothing.
  if (failure.problem === 'invalid_request' && route === undefined) return 'not-found';
  return KIND_OF[failure.problem];
}

/** The detail of the answer to an id that names nothing. */
export function notFoundDetail(what: 'Tenant' | 'Event' | 'Delivery' | 'Replay', id: string): string {
  return `${what} ${id.length > MAX_SHOWN_ID ? `${id.slice(0, MAX_SHOWN_ID)}…` : id} not found.`;
}

/** The printed 403 and 409 have no `instance`; the others have. */
function extensions(kind: Kind, failure: ZenProblem, requestId: string): Record<string, unknown> {
  switch (kind) {
    case 'insufficient-scope':
      return { required_scope: failure.scope };
    case 'plan-required':
      return { required_plan: failure.requiredPlan };
    case 'idempotency-conflict':
      return { idempotency_key: failure.idempotencyKey };
    default:
      return {
        instance: requestId,
        ...(failure.errors ? { errors: failure.errors.slice(0, MAX_ERRORS).map(fieldView) } : {}),
      };
  }
}

function fieldView({ pointer, parameter, message, code }: FieldError): z.input<typeof FieldProblem> {
  return { field: parameter ?? fieldOf(pointer ?? ''), message, code };
}

/** Such as `delivery_ids[1]` for `#/delivery_ids/1`; `body` for the whole. */
function fieldOf(pointer: string): string {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (names.length === 0) return 'body';
  return names
    .map((name, index) => (/^\d+$/.test(name) ? `[${name}]` : `${index > 0 ? '.' : ''}${name}`))
    .join('');
}

/** The document names a path that must not be used: a caller who tries it is told the right one. */
function unservedPath(url: string): string {
  const path = url.split('?')[0] ?? '';
  const batch = /^(?:\/v1\/tenants\/([\w.-]{1,80}))?(?:\/v1)?\/events\/retry\/batch\/?$/.exec(path);
  if (!batch) return 'This path does not exist.';
  const tenant = `/v1/tenants/${batch[1] ?? '{tenant_id}'}`;
  return `The path /events/retry/batch is not canonical and is not served. Use POST ${tenant}/retry/batch, or POST ${tenant}/events/{event_id}/retry for one event.`;
}

const FieldProblem = z.strictObject({
  field: z.string().meta({ description: 'The member or parameter at fault.', example: 'delivery_ids[1]' }),
  message: z.string().meta({ description: 'Says what was expected.', example: 'Expected string.' }),
  code: z.string().meta({ description: 'Stable code.', example: 'wrong_type' }),
});

const common = (kind: Kind, detail: string) => ({
  type: z.literal(`${TYPES}${kind}`).meta({ description: 'The kind of error.', example: `${TYPES}${kind}` }),
  title: z.literal(KINDS[kind].title).meta({ description: 'The kind in words.', example: KINDS[kind].title }),
  status: z
    .literal(KINDS[kind].status)
    .meta({ description: 'The status again.', example: KINDS[kind].status }),
  detail: z.string().meta({ description: 'Explains this error.', example: detail }),
});

const instance = z.string().meta({ description: 'Id of the request.', example: 'req_abc123' });

function traced(kind: Kind, detail: string) {
  return z.strictObject({
    ...common(kind, detail),
    instance,
    errors: z
      .array(FieldProblem)
      .optional()
      .meta({ description: `The parts of the request at fault, ${MAX_ERRORS} at most.` }),
  });
}

const SCHEMAS = {
  401: traced('authentication', 'This API key does not exist; check that it was copied whole.'),
  403: z.strictObject({
    ...common('insufficient-scope', 'API key does not have write:deliveries scope.'),
    required_scope: z.string().meta({ description: 'The scope it needs.', example: 'write:deliveries' }),
  }),
  404: traced('not-found', 'Event evt_abc123 not found.'),
  409: z.strictObject({
    ...common('idempotency-conflict', 'Idempotency-Key was used with a different set of delivery IDs.'),
    idempotency_key: z.string().meta({ description: 'The key.', example: 'idem_key_1' }),
  }),
  422: traced('invalid-parameters', 'Correct the members that `errors` names and send the request again.'),
  429: traced('rate-limited', 'Wait for as long as the header `Retry-After` says.'),
  500: traced('internal-error', 'Send the request again later.'),
} as const;

const PlanRequired = z.strictObject({
  ...common('plan-required', 'Batch retry is not part of the plan free.'),
  required_plan: z.string().meta({ description: 'The least plan that has it.', example: 'pro' }),
});

/** The errors of a route, for its `responses`: those of every route, and its own. */
export function zenErrors(also: { conflict?: true; planned?: true } = {}) {
  const error = (status: keyof typeof SCHEMAS, schema: z.ZodType = SCHEMAS[status]) => ({
    [status]: {
      description: status === 403 && also.planned ? 'Insufficient Scope, or Plan Required.' : titleOf(status),
      schema,
      contentType: CONTENT_TYPE,
      ...(status === 429 ? { headers: { 'Retry-After': 'Seconds until the next request is taken.' } } : {}),
    },
  });
  return {
    ...error(401),
    ...error(403, also.planned ? z.union([SCHEMAS[403], PlanRequired]) : SCHEMAS[403]),
    ...error(404),
    ...(also.conflict ? error(409) : {}),
    ...error(422),
    ...error(429),
    ...error(500),
  };
}

function titleOf(status: keyof typeof SCHEMAS): string {
  return `${Object.values(KINDS).find((kind) => kind.status === status)?.title}.`;
}

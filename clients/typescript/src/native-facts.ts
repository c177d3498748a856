// Made of openapi/native.json and the table of problems by scripts/client-types.mjs.

/** The status of each problem, by its code. */
export interface ProblemStatuses {
  malformed_json: 400;
  nested_too_deep: 400;
  invalid_request: 400;
  invalid_cursor: 400;
  tenant_required: 400;
  idempotency_key_required: 400;
  idempotency_key_invalid: 400;
  term_too_short: 400;
  endpoint_url_refused: 400;
  credential_missing: 401;
  credential_invalid: 401;
  credential_expired: 401;
  credential_revoked: 401;
  session_ended: 401;
  sign_in_code_refused: 401;
  ack_refused: 401;
  insufficient_scope: 403;
  tls_required: 403;
  cross_origin_refused: 403;
  quota_exceeded: 403;
  approver_refused: 403;
  not_found: 404;
  unknown_ids: 404;
  route_not_found: 404;
  method_not_allowed: 405;
  handle_taken: 409;
  state_conflict: 409;
  import_open: 409;
  lines_missing: 409;
  needs_approval: 409;
  drift_too_large: 409;
  pruned: 410;
  plan_changed: 412;
  policy_changed: 412;
  settings_changed: 412;
  body_too_large: 413;
  payload_too_large: 413;
  too_many_members: 413;
  unsupported_media_type: 415;
  unsupported_content_encoding: 415;
  idempotency_key_reused: 422;
  rate_limited: 429;
  internal: 500;
  temporarily_unavailable: 503;
}

/** The calls that take an `Idempotency-Key`. */
export const TAKES_IDEMPOTENCY_KEY: ReadonlySet<string> = new Set([
  'POST /api/v1/deliveries/resolve',
  'POST /api/v1/retries/plans',
  'POST /api/v1/retries',
]);

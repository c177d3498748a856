import { MAX_JSON_DEPTH } from '../../domain/json/json-depth.ts';

/** Status, title and advice of an error; docs/errors.md says the same, and a test compares the two. */
export interface ProblemKind {
  status: number;
  title: string;
  advice: string;
}

/** Every error that the native API answers. The codes are stable: clients branch on them. */
export const PROBLEMS = {
  malformed_json: {
    status: 400,
    title: 'Malformed JSON',
    advice: 'Send one JSON value in UTF-8; the position is where it stops being JSON.',
  },
  nested_too_deep: {
    status: 400,
    title: 'Nested too deep',
    advice: `The JSON of a request nests at most ${MAX_JSON_DEPTH} levels, objects and arrays counted together: send it flatter.`,
  },
  invalid_request: {
    status: 400,
    title: 'Invalid request',
    advice: 'Correct the members that `errors` names and send the request again.',
  },
  invalid_cursor: {
    status: 400,
    title: 'Invalid cursor',
    advice: 'Send `nextCursor` as it was answered, with the same filter, or begin again without a cursor.',
  },
  tenant_required: {
    status: 400,
    title: 'Tenant required',
    advice: 'This key belongs to no tenant: name one by its handle or id in the header `Redrive-Tenant`.',
  },
  idempotency_key_required: {
    status: 400,
    title: 'Idempotency-Key required',
    advice:
      'A request that selects by filter needs the header `Idempotency-Key`, so that repeating it is safe.',
  },
  idempotency_key_invalid: {
    status: 400,
    title: 'Invalid Idempotency-Key',
    advice: 'Send 1 to 255 visible ASCII characters, bare or as a quoted string.',
  },
  term_too_short: {
    status: 400,
    title: 'Term too short',
    advice:
      'Nothing was changed: a term that `errors` names is shorter than the installation, or another term of the tenant, allows. Lengthen it, or set or shorten the other one in the same request.',
  },
  endpoint_url_refused: {
    status: 400,
    title: 'Endpoint URL refused',
    advice: 'Use an http or https URL without credentials whose host is a public address.',
  },
  credential_missing: {
    status: 401,
    title: 'Credential missing',
    advice: 'Send `Authorization: Bearer <API key>`.',
  },
  credential_invalid: {
    status: 401,
    title: 'Credential invalid',
    advice: 'This API key does not exist; check that it was copied whole.',
  },
  credential_expired: {
    status: 401,
    title: 'Credential expired',
    advice: 'Ask for a new API key.',
  },
  credential_revoked: {
    status: 401,
    title: 'Credential revoked',
    advice: 'This API key was revoked; ask for a new one.',
  },
  session_ended: {
    status: 401,
    title: 'Session ended',
    advice: 'The session of the console is over, `detail` says why: sign in again.',
  },
  sign_in_code_refused: {
    status: 401,
    title: 'Sign-in code refused',
    advice:
      'A link signs in once, within a minute: print a fresh one by pressing Enter where `npm start` runs, or paste a key.',
  },
  ack_refused: {
    status: 401,
    title: 'Acknowledgement refused',
    advice:
      'No such delivery was sent to this endpoint, or the signature is not by its secret; sign `ack.v1.<endpointId>.<webhookId>.<timestamp>`.',
  },
  insufficient_scope: {
    status: 403,
    title: 'Insufficient scope',
    advice: 'Use an API key that has the scope named in `detail`.',
  },
  tls_required: {
    status: 403,
    title: 'TLS required',
    advice:
      'Nobody signs in over plain http, except on the machine itself: serve the console by https, and set REDRIVE_PUBLIC_URL to that address.',
  },
  cross_origin_refused: {
    status: 403,
    title: 'Cross-origin request refused',
    advice:
      'What is done by a session is done by the console itself, at the address in REDRIVE_PUBLIC_URL; `detail` says what was missing. Any other client sends an API key.',
  },
  quota_exceeded: {
    status: 403,
    title: 'Quota exceeded',
    advice:
      'A ceiling of the installation, which `detail` names, does not allow this, and nobody can approve it: ask for less, or later.',
  },
  approver_refused: {
    status: 403,
    title: 'Approver refused',
    advice:
      'Nobody approves what they have asked for themselves, nor with a credential that the requester made or that names nobody; `detail` says which. Let somebody else approve.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    advice: 'Nothing with this id belongs to the tenant.',
  },
  unknown_ids: {
    status: 404,
    title: 'Unknown ids',
    advice: 'Nothing was done: remove the ids that `errors` names, or correct them.',
  },
  route_not_found: {
    status: 404,
    title: 'Route not found',
    advice: 'See /openapi.json or /docs for the paths that exist.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    advice: 'Use one of the methods in the header `Allow`.',
  },
  handle_taken: {
    status: 409,
    title: 'Handle taken',
    advice: 'Choose another handle.',
  },
  state_conflict: {
    status: 409,
    title: 'State conflict',
    advice: 'The present state does not allow this; `detail` names it.',
  },
  import_open: {
    status: 409,
    title: 'Import open',
    advice:
      'A tenant has one open import at a time, which `detail` names: go on with it (`PUT /api/v1/imports/{id}/lines`), close it, or abandon it.',
  },
  lines_missing: {
    status: 409,
    title: 'Lines missing',
    advice:
      'Nothing was taken: send the lines from `nextLine` of the import on, or the whole file from line 1.',
  },
  needs_approval: {
    status: 409,
    title: 'Needs approval',
    advice:
      'Of an operation: this would make it sharper than it was approved, or than a quota lets through without approval. Slower, pause and cancel are not held: for more, cancel it, plan what is left (`remainderOf`) with these options, and let that be approved. Of what is sent at once: the policy holds it, and `detail` names the call that waits.',
  },
  drift_too_large: {
    status: 409,
    title: 'Drift too large',
    advice:
      'More has changed since the plan was made than `maxDriftPercent` allows; `drift` says what. Nothing was sent, and the plan stays: allow more, or make a new one.',
  },
  pruned: {
    status: 410,
    title: 'Pruned',
    advice:
      'These lines are gone: they were kept for as long as `ledgerRetentionDays` of the tenant says, those of a plan that nobody executed for a week after its end. Counts, digests and the signed report stay; `as=now` lists the items of an operation as they are.',
  },
  plan_changed: {
    status: 412,
    title: 'Plan changed',
    advice: 'Nothing was sent: this is not the hash of the plan. Look at the plan and send its `planHash`.',
  },
  policy_changed: {
    status: 412,
    title: 'Policy changed',
    advice:
      'Nothing was set: the policy is not the one of this `digest` any more. Look at it as it is now, and send its `digest` with all that is to hold.',
  },
  settings_changed: {
    status: 412,
    title: 'Settings changed',
    advice:
      'Nothing was set: the settings are not those of this `digest` any more. Look at them as they are now, and send their `digest` with all that is to hold.',
  },
  body_too_large: {
    status: 413,
    title: 'Body too large',
    advice: 'A request has at most 8 MiB: send it in parts.',
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    advice: 'The payload of an event has at most 1 MiB; none of the events was accepted.',
  },
  too_many_members: {
    status: 413,
    title: 'Too many members',
    advice:
      'A body has at most 60,000 members and entries in all, 300,000 where it carries events: send it in parts.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    advice: 'Send `Content-Type: application/json`, in UTF-8.',
  },
  unsupported_content_encoding: {
    status: 415,
    title: 'Unsupported content encoding',
    advice: 'Send the body uncompressed.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'Idempotency-Key reused',
    advice: 'This key belongs to another request: send a new key, or the first request unchanged.',
  },
  rate_limited: {
    status: 429,
    title: 'Rate limited',
    advice: 'Wait for as long as the header `Retry-After` says.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    advice: 'Not your fault. Repeating is safe with an Idempotency-Key; report `instance` if it persists.',
  },
  temporarily_unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    advice: 'Send the request again after `Retry-After`; what was accepted before is safe.',
  },
} as const satisfies Record<string, ProblemKind>;

/** The code of an error. */
export type ProblemCode = keyof typeof PROBLEMS;

import type { ProblemCode } from '@redrive/client';

/** What the exit code of a command says; docs/cli.md is made from this table. */
export const EXITS = {
  done: { code: 0, says: 'Done. With `--wait` or `watch`: everything that was selected is delivered.' },
  failed: { code: 1, says: 'The tool, the network or the server failed; the message says which.' },
  usage: {
    code: 2,
    says: 'What was asked for is wrong, is not there, or is not possible as things stand. Nothing was sent.',
  },
  notConfirmed: { code: 3, says: 'Not confirmed, or no terminal to confirm on. Nothing was sent.' },
  credentials: { code: 4, says: 'No key, or one that is unknown, expired, revoked or may not do this.' },
  failures: { code: 5, says: 'The operation completed with failures, or lines of an import were refused.' },
  halted: { code: 6, says: 'The operation is halted: a canary, a share of failures or a step stopped it.' },
  cancelled: { code: 7, says: 'The operation was cancelled, or rejected by an approver.' },
  running: { code: 8, says: 'It, or its plan, was not done when `--timeout` was over. It goes on.' },
  changed: {
    code: 9,
    says: 'More has drifted than `--max-drift` allows, or the plan, or the policy, is another by now. Nothing was sent or set.',
  },
  awaitingApproval: {
    code: 10,
    says: 'It waits for approval, or for the reason or ticket that a policy asks for.',
  },
  notVerified: { code: 11, says: 'Verification failed: what was given is not what was signed.' },
  interrupted: { code: 130, says: 'Interrupted (Ctrl-C). Under `--wait` or `watch` the operation goes on.' },
  pipeClosed: { code: 141, says: 'Whoever read standard output has closed it.' },
  terminated: { code: 143, says: 'Terminated (SIGTERM). Under `--wait` or `watch` the operation goes on.' },
} as const;

/** The name of an exit. */
export type Exit = keyof typeof EXITS;

/** The exit that the state of an operation stands for; `running` where it has not come to an end. */
export function exitOfState(state: string): Exit {
  switch (state) {
    case 'completed':
      return 'done';
    case 'completed_with_failures':
      return 'failures';
    case 'halted':
      return 'halted';
    case 'cancelled':
      return 'cancelled';
    case 'awaiting_approval':
      return 'awaitingApproval';
    default:
      return 'running';
  }
}

/**
 * The exit of each problem of the API; one that has none does not compile. What the same command gets again, however often
 * it is run, is never `failed`: scripts run that again.
 */
const BY_CODE: Readonly<Record<ProblemCode, Exit>> = {
  credential_missing: 'credentials',
  credential_invalid: 'credentials',
  credential_expired: 'credentials',
  credential_revoked: 'credentials',
  session_ended: 'credentials',
  sign_in_code_refused: 'credentials',
  ack_refused: 'credentials',
  insufficient_scope: 'credentials',
  cross_origin_refused: 'credentials',
  tls_required: 'credentials',
  approver_refused: 'credentials',
  tenant_required: 'credentials',
  malformed_json: 'usage',
  nested_too_deep: 'usage',
  term_too_short: 'usage',
  invalid_request: 'usage',
  invalid_cursor: 'usage',
  idempotency_key_required: 'usage',
  idempotency_key_invalid: 'usage',
  idempotency_key_reused: 'usage',
  endpoint_url_refused: 'usage',
  not_found: 'usage',
  unknown_ids: 'usage',
  pruned: 'usage',
  handle_taken: 'usage',
  state_conflict: 'usage',
  import_open: 'usage',
  lines_missing: 'usage',
  needs_approval: 'usage',
  quota_exceeded: 'usage',
  body_too_large: 'usage',
  payload_too_large: 'usage',
  too_many_members: 'usage',
  unsupported_media_type: 'usage',
  unsupported_content_encoding: 'usage',
  drift_too_large: 'changed',
  plan_changed: 'changed',
  policy_changed: 'changed',
  settings_changed: 'changed',
  // Another version of the server.
  route_not_found: 'failed',
  method_not_allowed: 'failed',
  rate_limited: 'failed',
  internal: 'failed',
  temporarily_unavailable: 'failed',
};

/** The exit that a problem of the API stands for; one that this version does not know is judged by its status. */
export function exitOfProblem(code: string, status: number): Exit {
  if (Object.hasOwn(BY_CODE, code)) return BY_CODE[code as ProblemCode];
  return status >= 400 && status < 500 ? 'usage' : 'failed';
}

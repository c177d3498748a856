/** What the exit code of a command says; docs/cli.md is made from this table. */
export const EXITS = {
  done: { code: 0, says: 'Done. With `--wait` or `watch`: everything that was selected is delivered.' },
  failed: { code: 1, says: 'The tool, the network or the server failed; the message says which.' },
  usage: { code: 2, says: 'The command or its flags are wrong. Nothing was sent.' },
  notConfirmed: { code: 3, says: 'Not confirmed, or no terminal to confirm on. Nothing was sent.' },
  credentials: { code: 4, says: 'No key, or one that is unknown, expired, revoked or may not do this.' },
  failures: { code: 5, says: 'The operation completed with failures, or lines of an import were refused.' },
  halted: { code: 6, says: 'The operation is halted: a canary, a share of failures or a step stopped it.' },
  cancelled: { code: 7, says: 'The operation was cancelled, or rejected by an approver.' },
  running: { code: 8, says: 'It was still running when `--timeout` was over. It goes on.' },
  changed: {
    code: 9,
    says: 'More has drifted than `--max-drift` allows, or the plan is another. Nothing was sent.',
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

const BY_CODE: Readonly<Record<string, Exit>> = {
  credential_missing: 'credentials',
  credential_invalid: 'credentials',
  credential_expired: 'credentials',
  credential_revoked: 'credentials',
  insufficient_scope: 'credentials',
  approver_refused: 'credentials',
  tenant_required: 'credentials',
  invalid_request: 'usage',
  invalid_cursor: 'usage',
  endpoint_url_refused: 'usage',
  drift_too_large: 'changed',
  plan_changed: 'changed',
};

/** The exit that a problem of the API stands for. */
export function exitOfProblem(code: string): Exit {
  return (Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined) ?? 'failed';
}

import { type Exit, exitOfProblem } from './exit-codes.ts';
import { Stop } from './stop.ts';

/** What went wrong, as it is told: in one line what, then what belongs to it. */
export interface Mistake {
  exit: Exit;
  what: string;
  /** Its stable code, where the API gave one. */
  code: string | undefined;
  requestId: string | undefined;
  /** The parts of the request at fault. */
  parts: readonly string[];
  next: string | undefined;
}

/** A problem as it came: whoever answers may be another server than is thought. */
interface ProblemLike {
  code: string;
  status: number;
  title: string;
  detail: string;
  instance?: string;
  errors?: unknown;
  drift?: { gone?: Record<string, number> | null; endpointChanged?: unknown[] } | null;
}

const NEXT: Readonly<Record<string, string>> = {
  credential_missing: 'redrive auth login',
  credential_invalid: 'redrive auth login, with a key that was copied whole',
  credential_expired: 'ask for a new key, and redrive auth login',
  credential_revoked: 'ask for a new key, and redrive auth login',
  insufficient_scope: 'redrive auth status says what this key may do',
  approver_refused: 'let somebody else approve',
  tenant_required: 'name the tenant: --tenant <handle>',
  drift_too_large: 'make a new plan, or allow more by --max-drift',
  plan_changed: 'redrive retry get shows the plan and its hash as they are',
  policy_changed: 'redrive policy get shows the policy and its digest as they are',
  settings_changed: 'redrive limits get, or limits retention, shows them and their digest as they are',
  import_open: 'redrive import <file> --resume imp_…, or redrive imports abandon imp_…',
  route_not_found: 'compare the versions: redrive status',
};

/** Turns an error into what is told of it. */
export function mistakeOf(error: unknown): Mistake {
  if (error instanceof Stop)
    return {
      exit: error.exit,
      what: error.message,
      code: undefined,
      requestId: undefined,
      parts: [],
      next: error.next,
    };
  const problem = problemIn(error);
  if (problem)
    return {
      exit: exitOfProblem(problem.code, problem.status),
      what: `${problem.title}. ${problem.detail}`,
      code: problem.code,
      requestId: problem.instance,
      parts: [
        ...faultsOf(problem).map(
          ({ pointer, parameter, message }) => `${parameter ?? pointer ?? 'the request'}: ${message}`,
        ),
        ...driftParts(problem.drift),
      ],
      next: Object.hasOwn(NEXT, problem.code) ? NEXT[problem.code] : undefined,
    };
  return plain(error);
}

/** The status of the answer that an error stands for. */
export function statusOf(error: unknown): number | undefined {
  const status =
    error instanceof Error && error.name === 'UnexpectedAnswerError' && 'status' in error
      ? error.status
      : problemIn(error)?.status;
  return typeof status === 'number' ? status : undefined;
}

function problemIn(error: unknown): ProblemLike | undefined {
  return error instanceof Error && error.name === 'ProblemError' && 'problem' in error
    ? (error.problem as ProblemLike)
    : undefined;
}

function faultsOf({ errors }: ProblemLike): { pointer?: string; parameter?: string; message: string }[] {
  return Array.isArray(errors) ? errors.filter((each) => typeof each === 'object' && each !== null) : [];
}

function driftParts(drift: ProblemLike['drift']): string[] {
  if (!drift) return [];
  const gone = Object.entries(drift.gone ?? {}).map(([reason, count]) => `${count} are gone: ${reason}`);
  const changed = drift.endpointChanged?.length ?? 0;
  return changed === 0 ? gone : [...gone, `${changed} endpoints have another address`];
}

function plain(error: unknown): Mistake {
  const failed = {
    exit: 'failed',
    code: undefined,
    requestId: undefined,
    parts: [],
    next: undefined,
  } as const;
  if (!(error instanceof Error)) return { ...failed, what: String(error) };
  if (error.name === 'UnexpectedAnswerError')
    return {
      ...failed,
      what: error.message,
      next: 'is this the address of Redrive? redrive auth status says which is used',
    };
  const cause = rootOf(error);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  const network = error instanceof TypeError && error.message === 'fetch failed';
  const cut = error.message === 'terminated';
  if (network || cut)
    return {
      ...failed,
      what: cut
        ? 'The connection broke in the middle of the answer: what was written is not all of it.'
        : `The server cannot be reached: ${code ?? cause.message}.`,
      next: cut ? 'run it again' : 'redrive auth status says which address is used',
    };
  return { ...failed, what: error.message };
}

/** What the system says of a failure: its code, or the words of it. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

function rootOf(error: Error): Error {
  let at = error;
  while (at.cause instanceof Error) at = at.cause;
  return at;
}

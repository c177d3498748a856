import type { components } from '../native-api.ts';
import type { ProblemStatuses } from '../native-facts.ts';
import { retryAfterMs } from './retry-after.ts';

type Shown = components['schemas']['Problem'];

/** The stable code of a problem: branch on this. */
export type ProblemCode = Shown['code'];

/** What is beside the common members where a problem has this code. */
interface Beside {
  drift_too_large: { drift: NonNullable<Shown['drift']> };
}

type Known<Code extends ProblemCode> = Omit<Shown, 'code' | 'status' | 'drift'> & {
  code: Code;
  status: ProblemStatuses[Code];
} & (Code extends keyof Beside ? Beside[Code] : unknown);

/** An error that the API answered (RFC 9457): narrowed by its `code`. */
export type Problem = { [Code in ProblemCode]: Known<Code> }[ProblemCode];

/** Thrown where a call was answered by a problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;
  /** How long to wait before the call is made again, where the answer said so. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs?: number) {
    super(`${problem.title}: ${problem.detail}`);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  get code(): ProblemCode {
    return this.problem.code;
  }
}

/** Thrown where something between the API and its caller answered in its place. */
export class UnexpectedAnswerError extends Error {
  override readonly name = 'UnexpectedAnswerError';
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, retryAfterMs?: number) {
    super(`Expected an answer of Redrive, got status ${status} without a problem.`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether the call was answered by a problem of this code. */
export function hasCode<Code extends ProblemCode>(
  error: unknown,
  code: Code,
): error is ProblemError & { problem: Extract<Problem, { code: Code }> } {
  return error instanceof ProblemError && error.code === code;
}

/** The error that an answer stands for, whoever gave it. */
export function errorOf(body: unknown, response: Response): ProblemError | UnexpectedAnswerError {
  const wait = retryAfterMs(response);
  return isProblem(body) ? new ProblemError(body, wait) : new UnexpectedAnswerError(response.status, wait);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body && 'title' in body;
}

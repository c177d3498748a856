import { z } from 'zod';
import { type FieldError, type Problem, problem } from '../../api/problems/problem.ts';
import { PROBLEMS, type ProblemCode } from '../../api/problems/problem-table.ts';
import type { RenderedProblem } from '../../api/problems/rendered-problem.ts';
import type { RouteResponse } from '../../api/route.ts';

/** More errors than these help nobody. */
const MAX_ERRORS = 10;

const message = z.string().meta({
  description: 'Explains the error, and says what to do about it.',
  example: 'Nothing with this id belongs to the account.',
});

const StediError = z
  .strictObject({
    message,
    code: z.string().optional().meta({
      description: 'Stable code of the error: branch on this.',
      example: 'NOT_FOUND',
    }),
    exceptionCause: z.string().optional().meta({
      description: 'With status 500 only: the id of the request, to quote when the error is reported.',
      example: 'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
    }),
  })
  .meta({ id: 'StediError', description: 'An error.' });

const StediConflict = z
  .strictObject({ message })
  .meta({ id: 'StediConflict', description: 'A conflict with the present state.' });

/** Every error that a call can answer. */
export const ERROR_RESPONSES: Record<number, RouteResponse> = {
  400: { description: 'The request is not as it must be; nothing was done.', schema: StediError },
  401: { description: 'No API key, or one that is not valid.', schema: StediError },
  403: { description: 'The API key may not do this.', schema: StediError },
  404: { description: 'Nothing with this id belongs to the account.', schema: StediError },
  409: { description: 'The present state does not allow it.', schema: StediConflict },
  422: { description: 'The Idempotency-Key belongs to another request.', schema: StediError },
  429: { description: 'Too many requests: wait for as long as `Retry-After` says.', schema: StediError },
  500: { description: 'Not your fault.', schema: StediError },
  503: { description: 'Not now: send it again after `Retry-After`.', schema: StediError },
};

/** Statuses that the documented API lacks, and the nearest that it has. */
const NEAREST: Record<number, number> = { 405: 404, 413: 400, 415: 400 };

/** The advice that the table of problems gives to users of the native API, in the words of this one. */
const MESSAGES: Partial<Record<ProblemCode, string>> = {
  invalid_request: 'The request is not valid.',
  invalid_cursor: 'The page token is not valid: send the one that was answered, with the same filter.',
  credential_missing: 'Send an API key in the header Authorization.',
  credential_invalid: 'This API key does not exist.',
  not_found: 'Nothing with this id belongs to the account.',
  route_not_found: 'There is no such path.',
  method_not_allowed: 'There is no such call: use one of the methods in the header Allow.',
  internal: 'An unexpected error occurred.',
};

/** Words an error as Stedi does: `{message, code?}`, 409 without a code, 500 with a cause. */
export function renderStediProblem(failure: Problem, requestId: string): RenderedProblem {
  const { status: own, advice } = PROBLEMS[failure.problem];
  const status = NEAREST[own] ?? own;
  const text = messageOf(failure) ?? failure.detail ?? MESSAGES[failure.problem] ?? advice;
  const body: z.input<typeof StediError> = {
    message: text,
    ...(status === 409 ? {} : { code: failure.problem.toUpperCase() }),
    ...(status === 500 ? { exceptionCause: requestId } : {}),
  };
  return {
    status,
    contentType: 'application/json; charset=utf-8',
    body: JSON.stringify(body),
    headers: { ...failure.headers, ...(status === 401 ? { 'www-authenticate': 'Key realm="redrive"' } : {}) },
  };
}

/** A parameter of the query that is not as it must be. */
export function invalidParameter(parameter: string, expected: string): Problem {
  return problem('invalid_request', { errors: [{ parameter, code: 'wrong_format', message: expected }] });
}

function messageOf({ problem: code, errors = [] }: Problem): string | undefined {
  if (code !== 'invalid_request' || errors.length === 0) return undefined;
  return errors
    .slice(0, MAX_ERRORS)
    .map((error) => `${placeOf(error)}: ${error.message}`)
    .join(' ');
}

/** `#/condition/status` as `condition.status`. */
function placeOf({ pointer, parameter }: FieldError): string {
  if (parameter !== undefined) return parameter;
  return (pointer ?? '#').replace(/^#\/?/, '').replaceAll('/', '.') || 'body';
}

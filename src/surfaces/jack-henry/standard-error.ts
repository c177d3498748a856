import { z } from 'zod';
import type { FieldError, Problem } from '../../api/problems/problem.ts';
import { PROBLEMS, type ProblemCode } from '../../api/problems/problem-table.ts';
import type { RenderedProblem } from '../../api/problems/rendered-problem.ts';
import type { RouteResponse } from '../../api/route.ts';
import type { ProblemContext } from '../../api/surface.ts';

const PROBLEM_TYPE = 'application/problem+json';

/** More than these help nobody and would make the answer larger than the request. */
const MAX_DETAILS = 100;

const StandardError = z
  .strictObject({
    type: z.string().meta({
      description: 'A string path which uniquely classifies the domain of the error.',
      example: 'jackhenry/operation-failed',
    }),
    title: z.string().meta({
      description: 'A end-user readable string title of the error type.',
      example: 'Operation failed',
    }),
    details: z.array(z.string()).meta({
      description:
        'An array of end-user readable strings which provide additional details for the error message.',
      example: ['The payload of this event is not kept any more.'],
    }),
  })
  .meta({ id: 'JackHenryStandardError' });

/** The errors that a route can answer, for the OpenAPI document. */
export function errorResponses(...statuses: (400 | 401 | 403 | 404 | 500)[]): Record<number, RouteResponse> {
  const all: Record<number, RouteResponse> = {
    400: { description: 'The request is invalid.', schema: StandardError, contentType: PROBLEM_TYPE },
    401: { description: 'No valid credential was sent.' },
    403: { description: 'The credential may not do this.' },
    404: { description: 'There is nothing with these ids.' },
    500: { description: 'An unexpected error.', schema: StandardError, contentType: PROBLEM_TYPE },
  };
  return Object.fromEntries(statuses.map((status) => [status, all[status] as RouteResponse]));
}

/** The kinds told apart among the errors that a caller can do something about; every other is an invalid request. */
const KINDS: Partial<Record<ProblemCode, { type: string; title: string }>> = {
  rate_limited: { type: 'jackhenry/too-many-requests', title: 'Too many requests' },
  idempotency_key_reused: { type: 'jackhenry/idempotency-key-reused', title: 'Idempotency-Key reused' },
  handle_taken: { type: 'jackhenry/operation-failed', title: 'Operation failed' },
  state_conflict: { type: 'jackhenry/operation-failed', title: 'Operation failed' },
};

/**
 * A problem in the words of the document: 401, 403 and 404 without a body, 400 and 500 as a `StandardError`. Where a
 * route declares no 404, a missing object is forbidden; every other status becomes the nearest of these.
 */
export function renderStandardError(failure: Problem, { route }: ProblemContext): RenderedProblem {
  const headers = failure.headers ? { headers: failure.headers } : {};
  const { status } = PROBLEMS[failure.problem];
  if (status === 401 || status === 403) return { status, ...headers };
  if (status === 404 || status === 405)
    return { status: route && !(404 in route.responses) ? 403 : 404, ...headers };
  if (status >= 500)
    return {
      ...standardError(500, {
        type: 'general/internal-server-error',
        title: 'Internal server error',
        details: ['Unexpected internal server error'],
      }),
      ...headers,
    };
  const kind = KINDS[failure.problem] ?? { type: 'jackhenry/invalid-request', title: 'Invalid request' };
  return { ...standardError(400, { ...kind, details: detailsOf(failure) }), ...headers };
}

/** The answer to a retry of one event that can never succeed. */
export function operationFailed(detail: string) {
  const { body: text } = standardError(400, {
    type: 'jackhenry/operation-failed',
    title: 'Operation failed',
    details: [detail],
  });
  return { status: 400, text, contentType: PROBLEM_TYPE };
}

function standardError(status: number, error: z.output<typeof StandardError>) {
  return { status, contentType: PROBLEM_TYPE, body: JSON.stringify(error) };
}

function detailsOf({ problem, detail, errors }: Problem): string[] {
  if (!errors || errors.length === 0) return [detail ?? PROBLEMS[problem].advice];
  return errors.slice(0, MAX_DETAILS).map((error) => `${nameOf(error)}: ${error.message}`);
}

/** Where it is wrong: a path in the body, or the name of a parameter. */
function nameOf({ pointer, parameter }: FieldError): string {
  return parameter ?? (pointer?.replace(/^#\/?/, '') || 'body');
}

import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Scope } from '../../domain/tenancy/scope.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { endAnswer } from '../end-answer.ts';
import { PROBLEMS, type ProblemCode } from './problem-table.ts';
import type { RenderedProblem } from './rendered-problem.ts';

/** A fault in one part of a request: a member of the body (`pointer`) or a parameter or header. */
export interface FieldError {
  pointer?: string;
  parameter?: string;
  message: string;
  code: string;
}

/** An expected failure of a call, as a value; it becomes RFC 9457 when it is sent. */
export interface Problem {
  problem: ProblemCode;
  detail?: string;
  errors?: FieldError[];
  /** What has changed since a plan was made, as it is shown. */
  drift?: object;
  /** The scope that was missing. */
  scope?: Scope;
  /** The part of it that is enough, and that a grant can have. */
  part?: Scope;
  /** The tenant of the call, where it was known before the refusal; never shown. */
  tenantId?: Id<'tenant'>;
  headers?: Record<string, string>;
}

/** Makes a problem; without a `detail` it gives the advice of the table. */
export function problem(code: ProblemCode, parts: Omit<Problem, 'problem'> = {}): Problem {
  return { problem: code, ...parts };
}

/** Whether a value is a problem and not the result that was hoped for. */
export function isProblem(value: object): value is Problem {
  return 'problem' in value;
}

/** More errors than these help nobody and would make the answer larger than the request. */
export const MAX_ERRORS = 100;

/** A problem as the native API words it (RFC 9457). */
export function renderNativeProblem(
  { problem: code, detail, errors, drift, headers }: Problem,
  requestId: string,
): RenderedProblem {
  const kind = PROBLEMS[code];
  const body: ProblemBody = {
    type: `https://redrive.dev/errors/${code}`,
    title: kind.title,
    status: kind.status,
    code,
    detail: detail ?? kind.advice,
    instance: requestId,
    ...(errors ? { errors: errors.slice(0, MAX_ERRORS) } : {}),
    ...(drift ? { drift: { ...drift } } : {}),
  };
  return {
    status: kind.status,
    contentType: 'application/problem+json; charset=utf-8',
    body: JSON.stringify(body),
    ...(headers ? { headers } : {}),
  };
}

/** Answers with a problem that a surface has rendered. */
export function sendRendered(
  res: ServerResponse,
  { status, contentType, body = '', headers }: RenderedProblem,
): void {
  res.writeHead(status, {
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  endAnswer(res, body);
}

/** Schema of a problem, for the OpenAPI document. */
export const ProblemSchema = z
  .strictObject({
    type: z.string().meta({
      description: 'A page about the error; ends with its code.',
      example: 'https://redrive.dev/errors/invalid_request',
    }),
    title: z
      .string()
      .meta({ description: 'The error in a few words, the same for each code.', example: 'Invalid request' }),
    status: z.int().meta({ description: 'The HTTP status again.', example: 400 }),
    code: z
      .enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]])
      .meta({ description: 'Stable code of the error: branch on this.', example: 'invalid_request' }),
    detail: z.string().meta({
      description: 'Explains this error, and says what to do about it.',
      example: 'Correct the members that `errors` names and send the request again.',
    }),
    instance: z.string().meta({
      description: 'Id of the request; also in the header `Request-Id` and in the logs.',
      example: 'req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f',
    }),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().optional().meta({
            description: 'JSON Pointer to the member of the body, as a URI fragment.',
            example: '#/url',
          }),
          parameter: z.string().optional().meta({
            description: 'Name of the query parameter, path parameter or header.',
            example: 'limit',
          }),
          message: z.string().meta({ description: 'Says what was expected.', example: 'Expected a string.' }),
          code: z.string().meta({ description: 'Stable code of this error.', example: 'wrong_type' }),
        }),
      )
      .optional()
      .meta({ description: `The parts of the request at fault, ${MAX_ERRORS} at most.` }),
    drift: z
      .looseObject({})
      .optional()
      .meta({
        description:
          'With `drift_too_large`: what has changed since the plan was made, as the plan shows it.',
        example: { gone: { already_delivered: 120 }, endpointChanged: [], added: 3 },
      }),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

type ProblemBody = z.infer<typeof ProblemSchema>;

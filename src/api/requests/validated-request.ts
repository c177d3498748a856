import type { Request } from 'express';
import { type FieldError, isProblem, MAX_ERRORS, type Problem, problem } from '../problems/problem.ts';
import { fieldErrors, pointerTo } from '../problems/validation.ts';
import type { Call, Route } from '../route.ts';
import type { BodyLimits } from './body-meter.ts';
import { readQuery } from './query.ts';
import { BODY_LIMITS, OPEN_BODY_LIMITS, readJsonBody, readUpload } from './read-body.ts';

/** The parts of a request that its route reads, as they were validated. */
export type ValidatedRequest = Pick<Call, 'params' | 'query' | 'body' | 'rawBody' | 'bodyText' | 'chunks'>;

/**
 * Reads a request as its route says, or says all that is wrong with it. Body and query first, then the ids of the path: a
 * text that does not parse as one of our ids names nothing.
 */
export async function validatedRequest(route: Route, req: Request): Promise<ValidatedRequest | Problem> {
  const body = await readBody(route, req);
  if (isProblem(body)) return body;
  const query = readParameters(route, req);
  if (isProblem(query)) return query;
  const errors = [...body.errors, ...query.errors];
  if (errors.length > 0) return problem('invalid_request', { errors });

  const params = route.request?.params?.safeParse(req.params);
  if (params?.error)
    return problem('not_found', {
      detail:
        'No call has this path, and what stands in the place of an id is none: see /openapi.json or /docs.',
    });
  const chunks = route.upload && readUpload(req, route.upload.types);
  if (chunks && isProblem(chunks)) return chunks;
  return {
    ...(chunks ? { chunks } : {}),
    params: params?.data as ValidatedRequest['params'],
    query: query.value as ValidatedRequest['query'],
    body: body.value as ValidatedRequest['body'],
    rawBody: body.raw,
    bodyText: body.text,
  };
}

/** A part of a request, and what is wrong with it. */
interface Part {
  value: unknown;
  errors: FieldError[];
}

async function readBody(
  route: Route,
  req: Request,
): Promise<(Part & { raw: unknown; text: string }) | Problem> {
  const takesNone = route.method === 'get' || route.method === 'delete' || route.upload !== undefined;
  const sent = takesNone ? undefined : await readJsonBody(req, limitsOf(route));
  if (sent && isProblem(sent)) return sent;
  const raw = sent === undefined ? {} : sent.value;
  const text = sent?.text ?? '';
  const schema = route.request?.body;
  if (!schema) return { value: undefined, errors: unexpectedMembers(raw), raw, text };
  if (sent === undefined && !route.bodyOptional)
    return problem('invalid_request', {
      detail: 'This call needs a JSON body.',
      errors: [{ pointer: '#', code: 'required', message: 'The body is required.' }],
    });
  const parsed = schema.safeParse(raw);
  const errors = parsed.error ? fieldErrors(parsed.error, raw, 'body') : [];
  return { value: parsed.data, errors, raw, text };
}

function readParameters(route: Route, req: Request): Part | Problem {
  const asked = readQuery(req.originalUrl);
  if ('refused' in asked) return asked.refused;
  const schema = route.request?.query;
  if (!schema) return { value: undefined, errors: unexpectedParameters(Object.keys(asked.query)) };
  const parsed = schema.safeParse(asked.query);
  const errors = parsed.error ? fieldErrors(parsed.error, asked.query, 'parameters') : [];
  return { value: parsed.data, errors };
}

/** A body that anyone can send is read before anything is known of its sender, and is to be small. */
function limitsOf({ access, bodyLimits }: Route): BodyLimits {
  return bodyLimits ?? (access.of === 'anyone' ? OPEN_BODY_LIMITS : BODY_LIMITS);
}

/** A call that takes no body may still be sent an empty object. */
function unexpectedMembers(rawBody: unknown): FieldError[] {
  if (typeof rawBody !== 'object' || rawBody === null || Array.isArray(rawBody))
    return [{ pointer: '#', code: 'wrong_type', message: 'This call takes no body.' }];
  return Object.keys(rawBody)
    .slice(0, MAX_ERRORS)
    .map((name) => ({
      pointer: pointerTo([name]),
      code: 'unknown_field',
      message: 'This member does not exist.',
    }));
}

function unexpectedParameters(names: string[]): FieldError[] {
  return names.slice(0, MAX_ERRORS).map((name) => ({
    parameter: name.slice(0, 200),
    code: 'unknown_field',
    message: 'This parameter does not exist.',
  }));
}

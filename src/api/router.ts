import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Request, type Response, Router } from 'express';
import type { ApiDeps } from './api-deps.ts';
import { authenticate } from './authentication.ts';
import { type FieldError, isProblem, type Problem, problem, sendProblem } from './problem.ts';
import { PROBLEMS } from './problem-table.ts';
import { createRateLimiter, DEFAULT_RATE_LIMIT } from './rate-limit.ts';
import { readJsonBody } from './read-body.ts';
import { type Reply, sendReply } from './reply.ts';
import type { Call, Route } from './route.ts';
import { codeOfException, problemOfException } from './unexpected-failure.ts';
import { fieldErrors, pointerTo } from './validation.ts';

/** The id of a request, given to it before anything else. */
export function requestIdOf(res: ServerResponse): string {
  return String(res.getHeader('request-id'));
}

/** Registers routes: each request passes authentication, scope and validation, in this order, before its handler. */
export function createRouter(deps: ApiDeps, routes: readonly Route[]): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const limit = createRateLimiter(deps.rateLimit ?? DEFAULT_RATE_LIMIT);
  for (const path of new Set(routes.map((route) => route.path))) {
    const ofPath = routes.filter((route) => route.path === path);
    const registered = router.route(path.replace(/\{(\w+)\}/g, ':$1'));
    for (const route of ofPath) registered[route.method]((req, res) => serve(deps, limit, route, req, res));
    const allow = ofPath
      .map(({ method }) => (method === 'get' ? 'GET, HEAD' : method.toUpperCase()))
      .join(', ');
    registered.all((_, res) =>
      sendProblem(res, problem('method_not_allowed', { headers: { allow } }), requestIdOf(res)),
    );
  }
  return router;
}

async function serve(
  deps: ApiDeps,
  limit: ReturnType<typeof createRateLimiter>,
  route: Route,
  req: Request,
  res: Response,
): Promise<void> {
  const startedAt = performance.now();
  const requestId = requestIdOf(res);
  res.once('close', () => {
    const labels = { method: route.method.toUpperCase(), route: route.path, status: String(res.statusCode) };
    deps.metrics.httpRequestDuration.observe(labels, (performance.now() - startedAt) / 1_000);
  });
  try {
    const outcome = await answer(deps, limit, route, req, res, requestId);
    if (isProblem(outcome)) sendProblem(res, outcome, requestId);
    else await sendReply(res, outcome, { head: req.method === 'HEAD', shutdown: deps.shutdown });
  } catch (error) {
    failed(deps, route, req, res, error);
  }
}

/** Everything that nobody expected ends here: a problem where it can still be sent, and a line by code only. */
function failed(
  deps: ApiDeps,
  route: Route,
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
): void {
  // The client went away in the middle of its own request: there is nobody to answer and nothing to repair.
  if (req.destroyed && !req.complete) return;
  const failure = problemOfException(error);
  const fields = { requestId: requestIdOf(res), route: route.path, code: codeOfException(error), err: error };
  if (failure.problem === 'internal') deps.log.error(fields, 'api.failed');
  else deps.log.warn(fields, 'api.unavailable');
  if (res.headersSent) res.destroy();
  else sendProblem(res, failure, requestIdOf(res));
}

async function answer(
  deps: ApiDeps,
  limit: ReturnType<typeof createRateLimiter>,
  route: Route,
  req: Request,
  res: ServerResponse,
  requestId: string,
): Promise<Reply | Problem> {
  const { access } = route;
  const who =
    access.of === 'anyone'
      ? undefined
      : await authenticate(deps.pool, access, {
          authorization: req.headers.authorization,
          tenant: single(req.headers['redrive-tenant']),
        });
  if (who && isProblem(who)) return who;
  if (who) {
    const rate = await limit(who.tenant?.id ?? who.caller.keyId);
    for (const [name, value] of Object.entries(rate.headers)) res.setHeader(name, value);
    if (rate.refusal) return rate.refusal;
  }
  const validated = await validate(route, req);
  if (isProblem(validated)) return validated;
  const call: Call = {
    requestId,
    ...validated,
    rawParams: req.params as Record<string, string>,
    header: (name) => single(req.headers[name.toLowerCase()]),
    caller: who?.caller as Call['caller'],
    tenant: who?.tenant,
  };
  const outcome = await route.handler(call);
  if (isProblem(outcome) && PROBLEMS[outcome.problem].status >= 500)
    deps.log.error({ requestId, route: route.path, code: outcome.problem }, 'api.failed');
  return outcome;
}

type Validated = Pick<Call, 'params' | 'query' | 'body' | 'rawBody' | 'bodyText'>;

/** Body and query first, then the ids of the path: what does not parse as one of our ids names nothing. */
async function validate(route: Route, req: Request): Promise<Validated | Problem> {
  const { params, query, body } = route.request ?? {};
  const sent = route.method === 'get' || route.method === 'delete' ? undefined : await readJsonBody(req);
  if (sent && isProblem(sent)) return sent;
  const errors: FieldError[] = [];

  const rawBody = sent === undefined ? {} : sent.value;
  const parsedBody = body?.safeParse(rawBody);
  if (body && sent === undefined && !route.bodyOptional)
    return problem('invalid_request', {
      detail: 'This call needs a JSON body.',
      errors: [{ pointer: '#', code: 'required', message: 'The body is required.' }],
    });
  if (parsedBody?.error) errors.push(...fieldErrors(parsedBody.error, rawBody, 'body'));
  if (!body) errors.push(...unexpectedMembers(rawBody));

  const rawQuery = queryOf(req);
  const parsedQuery = query?.safeParse(rawQuery);
  if (parsedQuery?.error) errors.push(...fieldErrors(parsedQuery.error, rawQuery, 'parameters'));
  if (!query)
    for (const parameter of Object.keys(rawQuery))
      errors.push({
        parameter: parameter.slice(0, 200),
        code: 'unknown_field',
        message: 'This parameter does not exist.',
      });
  if (errors.length > 0) return problem('invalid_request', { errors });

  const parsedParams = params?.safeParse(req.params);
  if (parsedParams?.error) return problem('not_found');
  return {
    params: parsedParams?.data as Validated['params'],
    query: parsedQuery?.data as Validated['query'],
    body: parsedBody?.data as Validated['body'],
    rawBody,
    bodyText: sent?.text ?? '',
  };
}

/** A call that takes no body may still be sent an empty object. */
function unexpectedMembers(rawBody: unknown): FieldError[] {
  if (typeof rawBody !== 'object' || rawBody === null || Array.isArray(rawBody))
    return [{ pointer: '#', code: 'wrong_type', message: 'This call takes no body.' }];
  return Object.keys(rawBody).map((name) => ({
    pointer: pointerTo([name]),
    code: 'unknown_field',
    message: 'This member does not exist.',
  }));
}

/** Parameters by name: a text, or an array of them where a name is repeated. */
function queryOf(req: Request): Record<string, string | string[]> {
  const start = req.originalUrl.indexOf('?');
  const query: Record<string, string | string[]> = Object.create(null);
  if (start === -1) return query;
  const parameters = new URLSearchParams(req.originalUrl.slice(start + 1));
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    query[name] = values.length === 1 ? (values[0] as string) : values;
  }
  return query;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

import type { ServerResponse } from 'node:http';
import { type Request, type Response, Router } from 'express';
import type { SurfaceName } from '../domain/tenancy/surface-name.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { Log } from '../telemetry/log.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import type { ApiDeps } from './api-deps.ts';
import type { Authenticated } from './authentication/caller.ts';
import { type ClientAddress, clientAddress } from './authentication/client-address.ts';
import { type FailureLimit, limitFailures } from './authentication/failed-authentication.ts';
import { createRateLimiter, DEFAULT_RATE_LIMIT, type RateLimiter } from './limits/rate-limit.ts';
import { createReadTurns, type ReadTurns, takesTurn } from './limits/read-turns.ts';
import { type PlaceKind, StreamPlaces } from './limits/stream-places.ts';
import { isProblem, type Problem, problem, sendRendered } from './problems/problem.ts';
import { PROBLEMS } from './problems/problem-table.ts';
import { problemOfException } from './problems/unexpected-failure.ts';
import { type Reply, type StreamPlace, sendReply } from './reply.ts';
import { mayArriveLater } from './requests/arrival.ts';
import { chunksUntil } from './requests/read-body.ts';
import { validatedRequest } from './requests/validated-request.ts';
import type { Call, Route } from './route.ts';
import type { CredentialRequest, ProblemContext, ServedRoute, Surface } from './surface.ts';

/** The id of a request, given to it before anything else. */
export function requestIdOf(res: ServerResponse): string {
  return String(res.getHeader('request-id'));
}

/** The limits that the requests of a process are held against. */
interface Limits {
  /** Of each tenant, by surface. */
  rate: ReadonlyMap<SurfaceName, RateLimiter>;
  failures: FailureLimit;
  streams: StreamPlaces;
  reads: ReadTurns;
  addressOf: ClientAddress;
}

/** Registers routes: each request passes authentication, scope and validation, in this order, before its handler. */
export function createRouter(deps: ApiDeps, routes: readonly ServedRoute[]): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const limits: Limits = {
    rate: new Map(
      [...new Set(routes.map(({ surface }) => surface))].map((surface) => [
        surface.name,
        createRateLimiter(deps, surface.name, surface.rateLimit ?? deps.rateLimit ?? DEFAULT_RATE_LIMIT),
      ]),
    ),
    failures: limitFailures(),
    streams: new StreamPlaces(deps.streamLimits),
    reads: createReadTurns(deps.readLimits),
    addressOf: clientAddress(deps.trustedProxies ?? []),
  };
  for (const path of new Set(routes.map((route) => route.path))) {
    const ofPath = routes.filter((route) => route.path === path);
    const registered = router.route(path.replace(/\{(\w+)\}/g, ':$1'));
    for (const route of ofPath) registered[route.method]((req, res) => serve(deps, limits, route, req, res));
    const allow = ofPath
      .map(({ method }) => (method === 'get' ? 'GET, HEAD' : method.toUpperCase()))
      .join(', ');
    const [{ surface } = raise()] = ofPath;
    registered.all((req, res) =>
      sendProblem(deps, surface, problem('method_not_allowed', { headers: { allow } }), req, res),
    );
  }
  return router;
}

function raise(): never {
  throw new Error('a path has no route');
}

/** Answers with a problem in the words of the surface that the request belongs to. */
export function sendProblem(
  deps: ProblemContext['deps'] & Pick<ApiDeps, 'log' | 'metrics'>,
  surface: Surface,
  failure: Problem,
  req: Request,
  res: ServerResponse,
  route?: Route,
): void {
  const context = { deps, requestId: requestIdOf(res), method: req.method, url: req.originalUrl };
  const rendered = surface.renderProblem(failure, { ...context, ...(route ? { route } : {}) });
  logRefusal(deps.log, surface, req, res, { status: rendered.status, code: failure.problem }, route);
  // Of the route, not of the request: a caller may write any method, and would make a series by each.
  const called = { method: route?.method.toUpperCase() ?? 'none', route: route?.path ?? 'none' };
  deps.metrics.requestsRefused.inc({ ...called, code: failure.problem });
  sendRendered(res, rendered);
}

/**
 * Writes the line by which a refusal is found again: with the id that the answer names, and never the path as it was
 * sent.
 */
function logRefusal(
  log: Log,
  surface: Surface,
  req: Request,
  res: ServerResponse,
  refusal: { status: number; code?: string },
  route: Route | undefined,
): void {
  const fields = {
    event: 'api.refused',
    requestId: requestIdOf(res),
    surface: surface.name,
    method: req.method,
  };
  log.info({ ...fields, ...(route ? { route: route.path } : {}), ...refusal });
}

async function serve(
  deps: ApiDeps,
  limits: Limits,
  route: ServedRoute,
  req: Request,
  res: Response,
): Promise<void> {
  const startedAt = performance.now();
  const span = deps.tracing?.begin(`${route.method.toUpperCase()} ${route.path}`, () => ({
    'http.request.method': route.method.toUpperCase(),
    'http.route': route.path,
    'redrive.surface': route.surface.name,
    'redrive.request.id': requestIdOf(res),
  }));
  res.once('close', () => {
    const labels = { method: route.method.toUpperCase(), route: route.path, status: String(res.statusCode) };
    deps.metrics.httpRequestDuration.observe(labels, (performance.now() - startedAt) / 1_000);
    span?.set({ 'http.response.status_code': res.statusCode });
    span?.end({ failed: res.statusCode >= 500 });
  });
  try {
    const answered = await answer(deps, limits, route, { req, res, span });
    const outcome = (await heldBack(limits, answered, req)) ?? answered;
    if (isProblem(outcome)) sendProblem(deps, route.surface, outcome, req, res, route);
    else {
      // A surface that words its refusals itself names them there: only the request itself is left to log.
      if (outcome.status >= 400)
        logRefusal(deps.log, route.surface, req, res, { status: outcome.status }, route);
      await sendReply(res, outcome, { head: req.method === 'HEAD', shutdown: deps.shutdown });
    }
  } catch (error) {
    failed(deps, route, req, res, error);
  }
}

/** An answer that says that authentication failed waits where its address has failed too often, or is refused. */
async function heldBack(
  { failures, addressOf }: Limits,
  answered: Reply | Problem,
  req: Request,
): Promise<Problem | undefined> {
  const failed = isProblem(answered) ? PROBLEMS[answered.problem].status === 401 : answered.unauthenticated;
  return failed
    ? failures(addressOf(req.socket.remoteAddress, single(req.headers['x-forwarded-for'])))
    : undefined;
}

/** Everything that nobody expected ends here: a problem where it can still be sent, and a line by code only. */
function failed(deps: ApiDeps, route: ServedRoute, req: Request, res: ServerResponse, error: unknown): void {
  // The client went away in the middle of its own request: there is nobody to answer and nothing to repair.
  if (req.destroyed && !req.complete) return;
  const failure = problemOfException(error);
  const fields = { requestId: requestIdOf(res), route: route.path, code: errorCode(error), err: error };
  if (failure.problem === 'internal') deps.log.error(fields, 'api.failed');
  else deps.log.warn(fields, 'api.unavailable');
  if (res.headersSent) res.destroy();
  else sendProblem(deps, route.surface, failure, req, res, route);
}

async function answer(
  deps: ApiDeps,
  limits: Limits,
  route: ServedRoute,
  { req, res, span }: { req: Request; res: ServerResponse; span: TraceSpan | undefined },
): Promise<Reply | Problem> {
  const { access, surface } = route;
  const requestId = requestIdOf(res);
  const header = (name: string) => single(req.headers[name.toLowerCase()]);
  const rawParams = req.params as Record<string, string>;
  const request = { header, params: rawParams, method: req.method, url: req.originalUrl };
  const who = access.of === 'anyone' ? undefined : await surface.authenticate(deps, access, request);
  if (who && isProblem(who)) {
    const rate = who.tenantId && route.onRefused && (await limits.rate.get(surface.name)?.(who.tenantId));
    return rate && !rate.refusal ? refused(deps, route, requestId, who.tenantId, who) : who;
  }
  if (who) {
    const rate = await limits.rate.get(surface.name)?.(who.tenant?.id ?? who.caller.actor);
    for (const [name, value] of Object.entries(rate?.headers ?? {})) res.setHeader(name, value);
    if (rate?.refusal) return rate.refusal;
    if (who.caller.grant && !surface.takesGrants)
      return problem('insufficient_scope', {
        ...(access.of === 'tenant' ? { scope: access.scope } : {}),
        detail: 'This API takes no key that was made with a grant: use one that was made with scopes.',
      });
  }
  const validated = await validatedRequest(route, req);
  if (isProblem(validated)) return refused(deps, route, requestId, who?.tenant?.id, validated);
  const call: Call = {
    requestId,
    ...validated,
    rawParams,
    url: req.originalUrl,
    header,
    caller: (who && { ...who.caller, requestId, traceparent: span?.traceparent }) as Call['caller'],
    tenant: who?.tenant,
  };
  const enter = (kind: PlaceKind, by: Authenticated) =>
    limits.streams.enter(kind, by, () => stillMay(deps, route, request, by));
  const upload = route.upload && who && enter('upload', who);
  if (upload && isProblem(upload)) return refused(deps, route, requestId, who?.tenant?.id, upload);
  const outcome = upload
    ? await takeUpload(upload, call, req, route, () => whyEnded(deps, route, request))
    : takesTurn(route) && who?.tenant
      ? await limits.reads(who.tenant.id, () => route.handler(call))
      : await route.handler(call);
  if (isProblem(outcome) && PROBLEMS[outcome.problem].status >= 500)
    deps.log.error({ requestId, route: route.path, code: outcome.problem }, 'api.failed');
  if (isProblem(outcome)) return refused(deps, route, requestId, who?.tenant?.id, outcome);
  if (!('stream' in outcome) || !outcome.kind || !who || req.method === 'HEAD') return outcome;
  const place = enter(outcome.kind, who);
  return isProblem(place) ? place : { ...outcome, place };
}

/** Handles an upload in its place: it arrives for as long as its credential lasts, and what came before is taken. */
async function takeUpload(
  { ended, leave }: StreamPlace,
  call: Call,
  req: Request,
  { handler }: Route,
  why: () => Promise<Problem>,
): Promise<Reply | Problem> {
  mayArriveLater(req);
  try {
    return await handler({ ...call, ...(call.chunks ? { chunks: chunksUntil(ended, call.chunks) } : {}) });
  } catch (error) {
    if (error !== ended.reason) throw error;
    return await why();
  } finally {
    leave();
  }
}

/** Why a request that was let in is let in no longer. */
async function whyEnded(
  deps: ApiDeps,
  { access, surface }: ServedRoute,
  request: CredentialRequest,
): Promise<Problem> {
  const now =
    access.of === 'anyone'
      ? undefined
      : await surface.authenticate(deps, access, { ...request, again: true });
  return now && isProblem(now) ? now : problem('credential_revoked');
}

/** Whether a request that was let in would be let in now; where nobody can tell, it stays. */
async function stillMay(
  deps: ApiDeps,
  { access, surface }: ServedRoute,
  request: CredentialRequest,
  { tenant }: Authenticated,
): Promise<boolean> {
  if (access.of === 'anyone') return true;
  try {
    const now = await surface.authenticate(deps, access, { ...request, again: true });
    return isProblem(now) ? PROBLEMS[now.problem].status >= 500 : now.tenant?.id === tenant?.id;
  } catch {
    return true;
  }
}

/** Tells a route of its refusal, which stands even where the route fails to note it. */
async function refused(
  deps: ApiDeps,
  route: ServedRoute,
  requestId: string,
  tenantId: Id<'tenant'> | undefined,
  failure: Problem,
): Promise<Problem> {
  if (!route.onRefused || tenantId === undefined || PROBLEMS[failure.problem].status >= 500) return failure;
  try {
    await route.onRefused({ tenantId, requestId, code: failure.problem });
  } catch (error) {
    deps.log.warn({ requestId, route: route.path, code: errorCode(error) }, 'api.refusal_not_noted');
  }
  return failure;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

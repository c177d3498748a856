import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { errorCode } from '../telemetry/error-code.ts';
import type { ApiDeps } from './api-deps.ts';
import { openApiDocument, surfaceDocument } from './documents/openapi.ts';
import { consolePage } from './pages/console-page.ts';
import { docsPage } from './pages/docs-page.ts';
import { NO_PAGE, setPolicy } from './pages/policy.ts';
import { problem } from './problems/problem.ts';
import { problemOfException } from './problems/unexpected-failure.ts';
import { endLate } from './requests/arrival.ts';
import type { Route } from './route.ts';
import { createRouter, requestIdOf, sendProblem } from './router.ts';
import { serviceRoutes } from './service-routes.ts';
import { type ServedRoute, type Surface, surfaceOf } from './surface.ts';

/** Every route of the API; the document is made from these, too. */
export function apiRoutes(deps: ApiDeps, surfaces: readonly Surface[]): ServedRoute[] {
  let document: unknown;
  const openApi = (name?: string) => {
    const surface = surfaces.find((each) => each.name === name);
    if (surface) return surfaceDocument(routes, surface, deps.version);
    document ??= openApiDocument(routes, deps.version);
    return name === undefined ? document : undefined;
  };
  const ownedByPath = (route: Route) => ({ ...route, surface: surfaceOf(surfaces, route.path) });
  const routes: ServedRoute[] = [
    ...serviceRoutes(deps, openApi).map(ownedByPath),
    ...surfaces.flatMap((surface) => [
      ...surface.routes(deps).map((route) => ({ ...route, surface })),
      ...(surface.administration?.(deps) ?? []).map(ownedByPath),
    ]),
  ];
  return routes;
}

/** The API as an express application; the caller listens, and aborts `deps.shutdown` before it closes the server. */
export function createApi(deps: ApiDeps, surfaces: readonly Surface[]): Express {
  // Every stream listens to it; as many as there are is no leak.
  setMaxListeners(0, deps.shutdown);
  const routes = apiRoutes(deps, surfaces);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // First of all: what has no route, or is refused, arrives no longer than anything else.
  app.use((req, _, next) => {
    endLate(req, deps.arrivesWithinMs);
    next();
  });
  app.use(helmet({ contentSecurityPolicy: false, strictTransportSecurity: false }));
  app.use((_, res, next) => {
    res.setHeader('request-id', `req_${randomBytes(16).toString('hex')}`);
    setPolicy(res, NO_PAGE);
    next();
  });
  app.use(createRouter(deps, routes));
  app.use(consolePage(deps));
  app.use(docsPage(surfaces));
  app.use((req, res) =>
    sendProblem(deps, surfaceOf(surfaces, req.path), problem('route_not_found'), req, res),
  );
  app.use((error: unknown, req: Request, res: Response, next: NextFunction) =>
    funnel(deps, surfaces, error, req, res, next),
  );
  return app;
}

/** Answers errors outside of routes: those of express, such as a path with broken percent-encoding, and unexpected ones. */
function funnel(
  deps: ApiDeps,
  surfaces: readonly Surface[],
  error: unknown,
  req: Request,
  res: Response,
  next: NextFunction,
): void {
  if (res.headersSent) {
    next(error);
    return;
  }
  const badPath = error instanceof URIError;
  if (!badPath)
    deps.log.error({ requestId: requestIdOf(res), code: errorCode(error), err: error }, 'api.failed');
  const failure = badPath
    ? problem('invalid_request', { detail: 'The path is not percent-encoded correctly.' })
    : problemOfException(error);
  sendProblem(deps, surfaceOf(surfaces, req.path), failure, req, res);
}

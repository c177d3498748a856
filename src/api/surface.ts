import type { EndpointPreset } from '../domain/endpoints/preset.ts';
import type { SurfaceName } from '../domain/tenancy/surface-name.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import type { ApiDeps } from './api-deps.ts';
import type { Authenticated } from './authentication/caller.ts';
import type { RateLimit } from './limits/rate-limit.ts';
import type { Problem } from './problems/problem.ts';
import type { RenderedProblem } from './problems/rendered-problem.ts';
import type { Access, Route } from './route.ts';

/** A form of credential, as OpenAPI describes it. */
export type SecurityScheme = { description: string } & (
  | { type: 'http'; scheme: 'bearer'; bearerFormat?: string }
  | { type: 'apiKey'; in: 'header'; name: string }
);

/** The parts of a request from which a surface reads credentials and the tenant. */
export interface CredentialRequest {
  header(name: string): string | undefined;
  /** Parameters of the path, as they are spelled. */
  params: Record<string, string>;
  method: string;
  /** Path and query as they were sent. */
  url: string;
  /** Asked again while its answer goes on: nobody has done anything. */
  again?: true;
}

/** Where an error happened; the route is absent where none was found. */
export interface ProblemContext {
  /** Holds, in memory, the key that a surface signs its errors with; nothing here may need Postgres. */
  deps: Pick<ApiDeps, 'sealer'>;
  requestId: string;
  method: string;
  /** Path and query as they were sent. */
  url: string;
  route?: Route;
}

/** One API over the engine: its paths, who may call it, how it words errors, and its routes as data. */
export interface Surface {
  name: SurfaceName;
  /** Its name for people. */
  title: string;
  /** The paths that it owns: each of these and all below it; the longest match wins. */
  prefixes: readonly string[];
  /** Its paths are served below this prefix, too. */
  versionPrefix?: string;
  /** The forms of its credentials by name, one of which a call needs; a name means the same on every surface. */
  credentials: Record<string, SecurityScheme>;
  /** Who is calling and for which tenant, or why the call is refused: credential, then tenant, then scope. */
  authenticate(
    deps: ApiDeps,
    access: Exclude<Access, { of: 'anyone' }>,
    request: CredentialRequest,
  ): Promise<Authenticated | Problem>;
  /** Renders the refusals of its routes, and those before a route is found. */
  renderProblem(problem: Problem, context: ProblemContext): RenderedProblem;
  /** Takes keys that were made with a grant; any other surface refuses them. */
  takesGrants?: true;
  /** The quota of a tenant, where it differs from the quota of the service. */
  rateLimit?: RateLimit;
  /** The defaults for endpoints of its clients; an endpoint takes them by the name of the surface. */
  preset?: EndpointPreset;
  routes(deps: ApiDeps): Route[];
  /** Routes of the native API by which its callers are set up. */
  administration?(deps: ApiDeps): Route[];
  /** Its chores, which any worker does from time to time. */
  chores?(deps: ChoreDeps): Chore[];
}

/** A route with the surface it belongs to. */
export type ServedRoute = Route & { surface: Surface };

/** The surface that owns a path. */
export function surfaceOf(surfaces: readonly Surface[], path: string): Surface {
  const owners = surfaces.flatMap((surface) =>
    surface.prefixes
      .filter((prefix) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`))
      .map((prefix) => ({ surface, length: prefix.length })),
  );
  const owner = owners.sort((a, b) => b.length - a.length)[0];
  if (!owner) throw new Error('no surface owns the root');
  return owner.surface;
}

import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { MAX_JSON_DEPTH } from '../../domain/json/json-depth.ts';
import { authenticateByKey } from '../authentication/key-authentication.ts';
import { authenticateByKeyOrSession } from '../authentication/session-authentication.ts';
import { ProblemSchema } from '../problems/problem.ts';
import { PROBLEMS, type ProblemCode } from '../problems/problem-table.ts';
import type { RouteResponse } from '../route.ts';
import type { SecurityScheme, ServedRoute, Surface } from '../surface.ts';
import { shareComponents } from './openapi-sharing.ts';

/** The OpenAPI 3.1 document of one surface, with the routes of the service itself where these are its own. */
export function surfaceDocument(
  routes: readonly ServedRoute[],
  surface: Surface,
  version: string,
): Record<string, unknown> {
  const own = routes.filter((route) => route.surface === surface);
  const versioned = surface.versionPrefix;
  const spelledOnce = own.filter(({ path }) => versioned === undefined || !path.startsWith(`${versioned}/`));
  return openApiDocument(spelledOnce, version, {
    title: `Redrive: ${surface.title}`,
    servers: ['/', ...(versioned === undefined ? [] : [versioned])],
  });
}

/** The OpenAPI 3.1 document of these routes; nothing of it is written by hand. */
export function openApiDocument(
  routes: readonly ServedRoute[],
  version: string,
  { title = 'Redrive', servers = ['/'] }: { title?: string; servers?: string[] } = {},
): Record<string, unknown> {
  const registry = new OpenAPIRegistry();
  const schemes = Object.assign({}, ...routes.map(({ surface }) => surface.credentials)) as Record<
    string,
    SecurityScheme
  >;
  for (const [name, scheme] of Object.entries(schemes))
    registry.registerComponent('securitySchemes', name, scheme);
  for (const route of routes) registry.registerPath(pathOf(route));
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title,
      version,
      description: `Delivers events to HTTP endpoints and recovers the deliveries that failed, under control and with proof. Errors are RFC 9457 problems with a stable \`code\`; times are RFC 3339, shown in UTC and in milliseconds, and compared so; durations are milliseconds. A request has at most 8 MiB, and its JSON nests at most ${MAX_JSON_DEPTH} levels.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: servers.map((url) => ({ url })),
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
  });
  return shareComponents(document as unknown as Record<string, unknown>);
}

/** Every error that a native route can answer: its own, and those that follow from its access and its request. */
export function problemsOf(route: ServedRoute): ProblemCode[] {
  const codes = new Set<ProblemCode>(route.problems ?? []);
  const add = (...more: ProblemCode[]) => {
    for (const code of more) codes.add(code);
  };
  add('invalid_request', 'internal');
  if (route.access.of !== 'anyone')
    add(
      'temporarily_unavailable',
      'credential_missing',
      'credential_invalid',
      'credential_expired',
      'credential_revoked',
      'insufficient_scope',
      'rate_limited',
    );
  if (route.access.of !== 'anyone' && route.surface.authenticate === authenticateByKeyOrSession) {
    add('session_ended');
    if (route.method !== 'get') add('cross_origin_refused');
  }
  if (route.access.of === 'caller') add('not_found');
  if (route.access.of === 'tenant') {
    add('not_found');
    if (route.access.tenant !== 'optional') add('tenant_required');
  }
  if (route.request?.params) add('not_found');
  if (route.upload) add('unsupported_media_type', 'unsupported_content_encoding', 'body_too_large');
  else if (route.method === 'post' || route.method === 'put' || route.method === 'patch')
    add(
      'malformed_json',
      'nested_too_deep',
      'body_too_large',
      'too_many_members',
      'unsupported_media_type',
      'unsupported_content_encoding',
    );
  return [...codes];
}

function pathOf(route: ServedRoute): RouteConfig {
  const { params, query, body } = route.request ?? {};
  return {
    method: route.method,
    path: route.path,
    operationId: operationId(route),
    summary: route.summary,
    description: [route.description, scopeOf(route), problemsIn(route)].filter(Boolean).join('\n\n'),
    tags: [route.tag],
    security:
      route.access.of === 'anyone'
        ? []
        : Object.keys(route.surface.credentials).map((name) => ({ [name]: [] })),
    request: {
      ...(params ? { params } : {}),
      ...(query ? { query } : {}),
      ...(body
        ? { body: { required: !route.bodyOptional, content: { 'application/json': { schema: body } } } }
        : {}),
      ...(route.upload ? { body: uploadOf(route.upload) } : {}),
    },
    ...(headerParameters(route).length > 0 ? { parameters: headerParameters(route) } : {}),
    responses: { ...successes(route), ...(route.surface.name === 'native' ? failures(route) : {}) },
  } as RouteConfig;
}

function uploadOf({ types, description }: NonNullable<ServedRoute['upload']>) {
  const schema = { type: 'string' as const, format: 'binary' };
  return {
    required: true,
    description,
    content: Object.fromEntries(types.map((type) => [type, { schema }])),
  };
}

function scopeOf({ access, surface }: ServedRoute): string {
  switch (access.of) {
    case 'anyone':
      // Routes of other surfaces may look for credentials in the body themselves, and say so.
      return surface.name === 'native' ? 'Needs no credential.' : '';
    case 'caller':
      return 'Needs a credential of any scope.';
    case 'installation':
      return 'Scope: `admin`.';
    case 'tenant':
      return `Scope: \`${access.scope}\`${access.part ? `, or its part \`${access.part}\`` : ''}.`;
  }
}

const BY_KEY: Surface['authenticate'][] = [authenticateByKey, authenticateByKeyOrSession];

function headerParameters(route: ServedRoute) {
  const headers = {
    ...((route.access.of === 'tenant' || route.access.of === 'caller') &&
    BY_KEY.includes(route.surface.authenticate)
      ? {
          'Redrive-Tenant': {
            description:
              'Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered.',
            example: 'acme',
          },
        }
      : {}),
    ...route.headers,
  };
  return Object.entries(headers).map(([name, header]) => ({
    name,
    in: 'header' as const,
    required: 'required' in header ? header.required : false,
    description: header.description,
    schema: { type: 'string' as const, example: header.example },
  }));
}

function successes(route: ServedRoute): RouteConfig['responses'] {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, response]) => [status, { ...described(route, response) }]),
  );
}

function described(route: ServedRoute, response: RouteResponse) {
  const content = {
    ...(response.schema ? { [response.contentType ?? 'application/json']: { schema: response.schema } } : {}),
    ...Object.fromEntries(
      Object.entries(response.alternatives ?? {}).map(([type, schema]) => [type, { schema }]),
    ),
  };
  const headers = {
    'Request-Id': 'Id of the request, for support and logs.',
    ...(route.access.of === 'anyone'
      ? {}
      : {
          'RateLimit-Policy': 'The quota in force (draft-8).',
          RateLimit: 'The rest of the quota, and the seconds until it is full again (draft-8).',
        }),
    ...response.headers,
  };
  return {
    description: response.description,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, description]) => [
        name,
        { description, schema: { type: 'string' as const } },
      ]),
    ),
    ...(Object.keys(content).length > 0 ? { content } : {}),
  };
}

/** The codes of a native route, so that its refusals can be documented once for all routes. */
function problemsIn(route: ServedRoute): string {
  if (route.surface.name !== 'native') return '';
  return `Problems: ${problemsOf(route)
    .map((code) => `\`${code}\``)
    .join(', ')}.`;
}

const STATUS_MEANINGS: Record<number, string> = {
  400: 'The request is not as it must be; `errors` names the parts.',
  401: 'The credential is missing or refused.',
  403: 'The credential may not do this.',
  404: 'There is no such thing for this tenant.',
  409: 'Things are not as the request takes them to be.',
  413: 'The request is too large.',
  415: 'The body is not JSON, or is encoded in a way that is not read.',
  422: 'The request cannot be done as it is.',
  429: 'The quota is used up: come back after `Retry-After`.',
  500: 'Something failed that nobody expected; nothing is half done.',
  503: 'Something that this call needs is away: come back after `Retry-After`.',
};

function failures(route: ServedRoute): RouteConfig['responses'] {
  const statuses = new Set(problemsOf(route).map((code) => PROBLEMS[code].status));
  return Object.fromEntries(
    [...statuses].map((status) => [
      status,
      {
        description: STATUS_MEANINGS[status] ?? 'A problem, whose `code` says which.',
        content: { 'application/problem+json': { schema: ProblemSchema } },
      },
    ]),
  );
}

/** Such as `postRetriesByIdPause`: derived, so that it cannot be forgotten. */
function operationId({ method, path, surface }: ServedRoute): string {
  const words = path
    .replace(/^\/api\/v1/, '')
    .split(/[/-]/)
    .filter(Boolean);
  const name = words
    .map((word) => (word.startsWith('{') ? `By${capital(word.slice(1, -1))}` : capital(word)))
    .join('');
  return surface.name === 'native' ? `${method}${name}` : `${surface.name}:${method}${name}`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).replace(/\.\w/g, (part) => part.slice(1).toUpperCase());
}

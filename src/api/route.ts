import type { z } from 'zod';
import type { Scope } from '../domain/tenancy/scope.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Caller, TenantRef } from './authentication/caller.ts';
import type { Problem } from './problems/problem.ts';
import type { ProblemCode } from './problems/problem-table.ts';
import type { Reply } from './reply.ts';
import type { BodyLimits } from './requests/body-meter.ts';

/** Who may call a route: anyone, anyone with a credential, a key of the installation, or a key with a scope over one tenant. */
export type Access =
  | { of: 'anyone' }
  /** Its own scopes are what it asks for; the tenant is the one that it belongs to, or names. */
  | { of: 'caller' }
  | { of: 'installation' }
  /** With `tenant: 'optional'` a key of the installation need not name one. */
  | {
      of: 'tenant';
      scope: Scope;
      /** A part of that scope, which is enough here; it comes with a grant. */
      part?: Scope;
      tenant?: 'optional';
    };

/** The schemas of the parts of a request; a part without one must be absent or empty. */
export interface RequestSchemas {
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
}

/** A response other than a problem. */
export interface RouteResponse {
  description: string;
  schema?: z.ZodType;
  /** Of the body; `application/json` unless said otherwise. */
  contentType?: string;
  /** Other forms of the body by content type. */
  alternatives?: Record<string, z.ZodType>;
  headers?: Record<string, string>;
}

type Part<R extends RequestSchemas, K extends keyof RequestSchemas> = R[K] extends z.ZodType
  ? z.output<R[K]>
  : undefined;

/** One request that has passed authentication, scope and validation. */
export interface Call<R extends RequestSchemas = RequestSchemas, A extends Access = Access> {
  requestId: string;
  params: Part<R, 'params'>;
  query: Part<R, 'query'>;
  body: Part<R, 'body'>;
  /** The body before validation: a fingerprint is made of it. */
  rawBody: unknown;
  /** The body's source text. */
  bodyText: string;
  /** Path parameters as they were spelled. */
  rawParams: Record<string, string>;
  /** The body of an upload, as it arrives. */
  chunks?: AsyncIterable<Buffer>;
  /** Path and query as they were sent. */
  url: string;
  header(name: string): string | undefined;
  caller: A extends { of: 'anyone' } ? undefined : Caller;
  tenant: A extends { of: 'tenant'; tenant?: undefined } ? TenantRef : TenantRef | undefined;
}

/** A route as data: it is registered, validated and documented from this alone. */
export interface RouteDefinition<R extends RequestSchemas, A extends Access> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces, as in OpenAPI. */
  path: string;
  summary: string;
  description?: string;
  tag: string;
  access: A;
  request?: R;
  /** The body may be left out, which means `{}`. */
  bodyOptional?: true;
  /** Its body is read by the handler while it arrives, however long it is: its content types, and the words for it. */
  upload?: { types: readonly string[]; description: string };
  /**
   * Whether it takes a turn among reads; a `get` does by itself. One that reads by the filter of its caller has to, and one
   * whose answer waits for what somebody else does must not: others would wait for it.
   */
  takesTurn?: boolean;
  /** Limits of its body, where they differ from those of every body. */
  bodyLimits?: BodyLimits;
  /** Headers that the call reads, by name, with their meanings. */
  headers?: Record<string, { description: string; example: string; required?: boolean }>;
  /** Its answers; routes of a surface other than the native one name its errors here, too. */
  responses: Record<number, RouteResponse>;
  /** Errors of a native route in addition to those that follow from its access and its request. */
  problems?: ProblemCode[];
  /** Told of each refusal once the tenant is known and within its quota; its failure changes no answer. */
  onRefused?(refusal: { tenantId: Id<'tenant'>; requestId: string; code: ProblemCode }): Promise<void>;
  handler(call: Call<R, A>): Promise<Reply | Problem>;
}

/** Any route, of any request and access. */
export type Route = RouteDefinition<RequestSchemas, Access>;

/** States a route; its handler's types follow from the schemas and the access. */
export function route<const A extends Access, R extends RequestSchemas = Record<never, never>>(
  definition: RouteDefinition<R, A>,
): Route {
  return definition as unknown as Route;
}

import { createHash } from 'node:crypto';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { type Problem, problem } from '../problems/problem.ts';

/** How long the answer to a key is kept. */
export const IDEMPOTENCY_KEEP_MS = 24 * 60 * 60 * 1_000;

const BARE = /^[\x21-\x7e]{1,255}$/;
/** A structured-field string (RFC 8941): quoted, with a backslash before a quote or a backslash. */
const QUOTED = /^"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** Reads the header `Idempotency-Key`, quoted or bare; undefined where it was not sent. */
export function readIdempotencyKey(header: string | undefined): string | undefined | Problem {
  if (header === undefined) return undefined;
  const quoted = QUOTED.exec(header.trim());
  const key = quoted?.[1]?.replace(/\\(.)/g, '$1') ?? header.trim();
  if (quoted === null && key.startsWith('"')) return invalidKey();
  return BARE.test(key) ? key : invalidKey();
}

/** The scope of a key: the same key means another request under another tenant or route. */
export function idempotencyScope(tenantId: Id<'tenant'>, surface: string, routeTemplate: string): string {
  return `${tenantId} ${surface} ${routeTemplate}`;
}

/** A key, where it counts, and the request that it stands for there. */
export interface KeyedRequest {
  scope: string;
  key: string;
  /** Of the request by its meaning, not its spelling: a repeat has the same one. */
  fingerprint: Buffer;
  keep: { ms: number };
}

/** A request that is posted under a key to a route, whose answer is kept for a day. */
export function keyedRequest(
  key: string,
  { tenantId, surface, path }: { tenantId: Id<'tenant'>; surface: string; path: string },
  { params, body }: { params: Record<string, string>; body: unknown },
): KeyedRequest {
  const meaning = canonicalJson({ method: 'POST', routeTemplate: path, params, body });
  return {
    scope: idempotencyScope(tenantId, surface, `POST ${path}`),
    key,
    fingerprint: createHash('sha256').update(meaning).digest(),
    keep: { ms: IDEMPOTENCY_KEEP_MS },
  };
}

/** The refusal of a request that would do its work twice where it is repeated without a key. */
export function keyRequired(): Problem {
  return problem('idempotency_key_required', {
    errors: [{ parameter: 'Idempotency-Key', code: 'required', message: 'This header is required here.' }],
  });
}

/** The headers of an answer, which say where it is the stored one to an earlier request. */
export function replayedHeaders(replayed: boolean): Record<string, string> {
  return replayed ? { 'idempotency-replayed': 'true' } : {};
}

function invalidKey(): Problem {
  return problem('idempotency_key_invalid', {
    errors: [
      {
        parameter: 'Idempotency-Key',
        code: 'wrong_format',
        message: 'Expected 1 to 255 visible ASCII characters.',
      },
    ],
  });
}

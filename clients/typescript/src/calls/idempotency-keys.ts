import type { Middleware } from 'openapi-fetch';
import { TAKES_IDEMPOTENCY_KEY } from '../native-facts.ts';

const HEADER = 'idempotency-key';

/** Gives each call that takes one an `Idempotency-Key`, unless the caller did: all its repetitions are one act then. */
export function idempotencyKeys(): Middleware {
  return {
    onRequest({ request, schemaPath }) {
      const call = `${request.method} ${schemaPath}`;
      if (!TAKES_IDEMPOTENCY_KEY.has(call) || request.headers.has(HEADER)) return undefined;
      request.headers.set(HEADER, newIdempotencyKey());
      return request;
    },
  };
}

/** A key that nobody else has. */
export function newIdempotencyKey(): string {
  // `randomUUID` exists in browsers over https only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `sdk-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

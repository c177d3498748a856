import createClient, { type Client } from 'openapi-fetch';
import type { paths } from '../native-api.ts';
import type { StreamEvent } from './events-of.ts';
import { idempotencyKeys } from './idempotency-keys.ts';
import { errorOf } from './problem.ts';
import { type RetryOptions, retryingFetch } from './retrying-fetch.ts';
import { type WatchOptions, watch } from './watch.ts';

/** Where the API is, and who calls it. */
export interface ClientOptions extends RetryOptions {
  /** The origin of the API, such as `http://127.0.0.1:4400`; in a browser the page's own where left out. */
  baseUrl?: string | undefined;
  /** An API key or a token; left out where the browser has a session. */
  key?: string | undefined;
  /** Sent with each call. */
  headers?: Record<string, string> | undefined;
  fetch?: ((request: Request) => Promise<Response>) | undefined;
}

/** The calls of the native API, typed by its OpenAPI document. */
export interface RedriveClient {
  /** openapi-fetch: `GET`, `POST`, `PUT`, `PATCH`, `DELETE` by path, each answering `{ data, error, response }`. */
  calls: Client<paths, 'application/json'>;
  /** A call by any path, answered as it came: for other media types. A body that is a stream is sent once. */
  raw: (path: string, init?: RequestInit) => Promise<Response>;
  /** The events of a stream by its path; see `watch`. */
  watch: (path: string, options?: WatchOptions) => AsyncGenerator<StreamEvent, void, undefined>;
}

/** Held until they are answered: in Node 20 the signal of a request that has been collected ends nothing. */
const UNANSWERED = new Set<Request>();

/** Makes a client. */
export function redriveClient({
  baseUrl = '',
  key,
  headers,
  fetch = globalThis.fetch,
  ...retry
}: ClientOptions): RedriveClient {
  const origin = baseUrl.replace(/\/+$/, '');
  const sent = { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  const once = async (request: Request) => {
    UNANSWERED.add(request);
    try {
      // Called by itself: browsers refuse a `fetch` that is a method of something else.
      return await fetch(request);
    } finally {
      UNANSWERED.delete(request);
    }
  };
  const again = retryingFetch(once, retry);
  // Lists are repeated parameters, which is what openapi-fetch makes of them.
  const calls = createClient<paths, 'application/json'>({ baseUrl: origin, headers: sent, fetch: again });
  calls.use(idempotencyKeys());
  const requestOf = (path: string, init: RequestInit = {}) =>
    new Request(`${origin}${path}`, {
      ...init,
      // Streams can only be sent by those who say so, which the types do not know everywhere.
      ...(isStream(init.body) ? { duplex: 'half' } : {}),
      headers: { ...sent, ...Object.fromEntries(new Headers(init.headers)) },
    });
  return {
    calls,
    raw: (path, init) => (isStream(init?.body) ? once : again)(requestOf(path, init)),
    watch: (path, options) =>
      watch(
        // It waits and connects again by itself.
        (more, signal) =>
          once(requestOf(path, { headers: { accept: 'text/event-stream', ...more }, signal })),
        options,
      ),
  };
}

/** The answer of a call, or the problem as an exception. */
export async function answerOf<Data>(
  call: Promise<{ data?: Data | undefined; error?: unknown; response: Response }>,
): Promise<Data> {
  const { data, error, response } = await call;
  if (!response.ok) throw errorOf(error, response);
  return data as Data;
}

function isStream(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    (body instanceof ReadableStream || Symbol.asyncIterator in body)
  );
}

import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './native-api.ts';
import { errorOf } from './problem.ts';
import { type StreamEvent, type WatchOptions, watch } from './watch.ts';

/** Where the API is, and who calls it. */
export interface ClientOptions {
  /** The origin of the API, such as `http://127.0.0.1:4400`; in a browser the page's own where left out. */
  baseUrl?: string;
  /** An API key or a token; left out where the browser has a session. */
  key?: string;
  /** Sent with each call. */
  headers?: Record<string, string>;
  fetch?: (request: Request) => Promise<Response>;
}

/** The calls of the native API, typed by its OpenAPI document. */
export interface RedriveClient {
  /** openapi-fetch: `GET`, `POST`, `PUT`, `PATCH`, `DELETE` by path, each answering `{ data, error, response }`. */
  calls: Client<paths, 'application/json'>;
  /** A call by any path, answered as it came: for other media types. */
  raw: (path: string, init?: RequestInit) => Promise<Response>;
  /** The events of a stream by its path; see `watch`. */
  watch: (path: string, options?: WatchOptions) => AsyncGenerator<StreamEvent, void, undefined>;
}

/** Makes a client. */
export function redriveClient({
  baseUrl = '',
  key,
  headers,
  fetch = globalThis.fetch,
}: ClientOptions): RedriveClient {
  const sent = { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) };
  // Lists are repeated parameters, which is what openapi-fetch makes of them.
  const calls = createClient<paths, 'application/json'>({
    baseUrl,
    headers: sent,
    fetch: (request) => fetch(request),
  });
  const raw = (path: string, init: RequestInit = {}) =>
    fetch(
      new Request(`${baseUrl}${path}`, {
        ...init,
        headers: { ...sent, ...(init.headers as Record<string, string>) },
      }),
    );
  return {
    calls,
    raw,
    watch: (path, options) =>
      watch(
        (more, signal) => raw(path, { headers: { accept: 'text/event-stream', ...more }, signal }),
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

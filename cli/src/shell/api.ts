import { type RedriveClient, redriveClient } from '@redrive/client';
import type { Connection } from '../core/connection.ts';
import { isRepeatable, waitBeforeRepeat } from '../core/repeatable.ts';
import { VERSION } from '../version.ts';

/** The API as a command calls it. */
export interface Api extends RedriveClient {
  connection: Connection;
}

/** Longest until an answer begins: what follows may take as long as it has to. */
const ANSWER_WITHIN_MS = 60_000;

/** Failures of a connection that say that nobody is there: asking at once again helps nobody. */
const NOBODY = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Makes the client of a connection. */
export function apiOf(connection: Connection, said: (line: string) => void): Api {
  const { origin, key, tenant } = connection;
  const client = redriveClient({
    baseUrl: origin,
    key,
    headers: {
      'user-agent': `redrive-cli/${VERSION}`,
      ...(tenant === undefined ? {} : { 'redrive-tenant': tenant }),
    },
    fetch: (request) => repeated(request, said),
  });
  return { ...client, connection };
}

/** A request, made again where the connection broke and it is the same act; what the server asks for the client does. */
async function repeated(request: Request, said: (line: string) => void): Promise<Response> {
  const again = isRepeatable({
    method: request.method,
    path: new URL(request.url).pathname,
    idempotencyKey: request.headers.has('idempotency-key'),
  });
  // What is uploaded is answered when it has been taken, however long that is.
  if (request.headers.get('content-type') === 'application/x-ndjson')
    return fetch(request, { redirect: 'manual' });
  // A stream is connected again by whoever follows it, who also says so.
  const isStream = request.headers.get('accept') === 'text/event-stream';
  if (!again || isStream) return answered(request);
  for (let tried = 1; ; tried += 1) {
    try {
      // The body of a request can be read once.
      return await answered(request.clone());
    } catch (error) {
      const waitMs =
        request.signal.aborted || NOBODY.has(codeOf(error)) ? undefined : waitBeforeRepeat(tried);
      if (waitMs === undefined) throw error;
      said('The connection was lost: once more.');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

/** A key is never sent after a redirect: such an answer is none of Redrive's. */
async function answered(request: Request): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`no answer within ${ANSWER_WITHIN_MS / 1_000} s`)),
    ANSWER_WITHIN_MS,
  );
  try {
    return await fetch(request, {
      redirect: 'manual',
      signal: AbortSignal.any([request.signal, late.signal]),
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The code of the system's error in an error of `fetch`. */
export function codeOf(failure: unknown): string {
  for (let at: unknown = failure; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string') return at.code;
  return '';
}

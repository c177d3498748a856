import { pause } from './pause.ts';
import { retryAfterMs } from './retry-after.ts';

/** How often, and for how long, a call is made again where the API says that it is busy (429) or away (503). */
export interface RetryOptions {
  /** Repetitions of one call at most: 3 where left out, 0 for none. */
  retries?: number | undefined;
  /** An answer that asks for a longer wait than this is handed to the caller instead: 30 seconds where left out. */
  longestWaitMs?: number | undefined;
}

type Fetch = (request: Request) => Promise<Response>;

const FIRST_WAIT_MS = 500;
/** By how much waits differ, so that those who were refused together do not come back together. */
const SPREAD = 0.25;

/** A `fetch` that waits as long as `Retry-After` says and asks again; aborting the request ends the wait. */
export function retryingFetch(
  fetch: Fetch,
  { retries = 3, longestWaitMs = 30_000 }: RetryOptions = {},
): Fetch {
  return async (first) => {
    let request = first;
    for (let made = 0; ; made += 1) {
      // The body of a request can be read once.
      const next = made < retries ? request.clone() : undefined;
      const response = await fetch(request);
      const waitMs = next && mayRepeat(request, response.status) ? waitBefore(made, response) : undefined;
      if (next === undefined || waitMs === undefined || waitMs > longestWaitMs) return response;
      await response.body?.cancel();
      await pause(waitMs, request.signal);
      request.signal.throwIfAborted();
      request = next;
    }
  };
}

/**
 * Whether the same request can be made once more: what was refused for its quota did nothing, while one that met an API
 * without its database may have done it, and is repeated where that does not matter.
 */
function mayRepeat({ method, headers, url }: Request, status: number): boolean {
  if (status === 429) return true;
  // There it is no refusal but the answer: what was asked is whether all parts are ready.
  if (new URL(url).pathname.endsWith('/readyz')) return false;
  return status === 503 && (['GET', 'HEAD', 'PUT'].includes(method) || headers.has('idempotency-key'));
}

function waitBefore(made: number, response: Response): number {
  const asked = retryAfterMs(response) ?? FIRST_WAIT_MS * 2 ** made;
  return asked * (1 + SPREAD * Math.random());
}

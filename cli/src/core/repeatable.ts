/** What a request is, as far as repeating it goes. */
export interface Asking {
  method: string;
  path: string;
  idempotencyKey: boolean;
}

/**
 * Whether a request can be made again where nobody knows whether it arrived: it reads, or the server knows it again. The
 * execution of a plan is known by its plan.
 */
export function isRepeatable({ method, path, idempotencyKey }: Asking): boolean {
  return method === 'GET' || idempotencyKey || /^\/api\/v1\/retries\/plans\/[^/]+\/execute$/.test(path);
}

const TRIES = 4;
const FIRST_WAIT_MS = 500;

/** How long to wait before a request whose connection broke is made again; undefined where that is enough. */
export function waitBeforeRepeat(tried: number): number | undefined {
  return tried >= TRIES ? undefined : FIRST_WAIT_MS * 2 ** (tried - 1);
}

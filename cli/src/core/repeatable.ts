/** What a request is, as far as repeating it goes. */
export interface Asking {
  method: string;
  path: string;
  idempotencyKey: boolean;
}

/** Acts that say the same once more: an execution is known by its plan, and an end of an import is one for ever. */
const SAME_AGAIN = [
  /^\/api\/v1\/retries\/plans\/[^/]+\/execute$/,
  /^\/api\/v1\/imports\/[^/]+\/(close|abandon)$/,
];

/** Whether a request can be made again where nobody knows whether it arrived: it reads, or the server knows it again. */
export function isRepeatable({ method, path, idempotencyKey }: Asking): boolean {
  return method === 'GET' || idempotencyKey || SAME_AGAIN.some((act) => act.test(path));
}

const TRIES = 4;
const FIRST_WAIT_MS = 500;

/** How long to wait before a request whose connection broke is made again; undefined where that is enough. */
export function waitBeforeRepeat(tried: number): number | undefined {
  return tried >= TRIES ? undefined : FIRST_WAIT_MS * 2 ** (tried - 1);
}

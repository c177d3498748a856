const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** How long to try to reach a server that is away, where nobody says it. */
export const PATIENCE_MS = 5 * 60_000;

/** Says how long to wait before the next try of a call, and when that is enough. */
export class Patience {
  readonly #limitMs: number;
  readonly #now: () => number;
  #sinceMs: number | undefined;
  #waitMs = FIRST_WAIT_MS;

  constructor(limitMs = PATIENCE_MS, now: () => number = () => performance.now()) {
    this.#limitMs = limitMs;
    this.#now = now;
  }

  /** It failed: how long to wait; undefined where it has failed for too long. `askedMs` is what the answer asked for. */
  next(askedMs = 0): number | undefined {
    const now = this.#now();
    this.#sinceMs ??= now;
    const waitMs = Math.max(this.#waitMs, askedMs);
    if (now + waitMs - this.#sinceMs > this.#limitMs) return undefined;
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
    return waitMs;
  }
}

interface Failure {
  problem?: { status?: unknown };
  status?: unknown;
}

/** Whether the same call may succeed later: nobody answered, or somebody who could not just then. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === 'Stop') return false;
  const { problem, status = problem?.status } = error as Failure;
  return typeof status === 'number'
    ? status >= 500 || status === 429 || status === 408
    : isOfConnection(error);
}

function isOfConnection(error: Error): boolean {
  const isFetch = error instanceof TypeError && error.message === 'fetch failed';
  return isFetch || error.message === 'terminated' || /^no answer within /.test(error.message);
}

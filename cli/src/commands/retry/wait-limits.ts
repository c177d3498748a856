import type { Stop } from '../../core/stop.ts';

/** How long is waited. */
export interface Waiting {
  timeout?: number | undefined;
  patience?: number | undefined;
  throughApproval?: boolean | undefined;
}

/** How long a server may be away before a command gives up on it. */
const PATIENCE_MS = 5 * 60_000;

/** The two ends of a wait that are not those of the operation: its time is over, or the server is away for too long. */
export class WaitLimits {
  timedOut = false;
  /** Why nobody waits any more, where that is a mistake. */
  given: Stop | undefined;
  readonly #ended = new AbortController();
  readonly #away: () => Stop;
  readonly #patienceMs: number;
  readonly #timeout: NodeJS.Timeout | undefined;
  #giveUp: NodeJS.Timeout | undefined;

  /** `away` is what is said of a server that was away for too long. */
  constructor({ timeout, patience = PATIENCE_MS }: Waiting, away: () => Stop) {
    this.#away = away;
    this.#patienceMs = patience;
    if (timeout !== undefined)
      this.#timeout = setTimeout(() => {
        this.timedOut = true;
        this.end();
      }, timeout);
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** The server is there. */
  found(): void {
    clearTimeout(this.#giveUp);
    this.#giveUp = undefined;
  }

  /** The connection was lost; from the first loss on it has so long to be there again. */
  lost(): void {
    this.#giveUp ??= setTimeout(() => {
      this.given = this.#away();
      this.end();
    }, this.#patienceMs);
  }

  /** Nobody waits any more. */
  end(): void {
    clearTimeout(this.#timeout);
    this.found();
    this.#ended.abort();
  }
}

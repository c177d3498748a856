import { value } from '../../command/command.ts';
import { parseDuration } from '../../core/durations.ts';
import { PATIENCE_MS } from '../../core/patience.ts';
import type { Stop } from '../../core/stop.ts';

/** How long is waited. */
export interface Waiting {
  timeout?: number | undefined;
  patience?: number | undefined;
  throughApproval?: boolean | undefined;
  /** Called where somebody detaches, and was told how to come back. */
  onDetach?: (() => void) | undefined;
}

/** The flags of whatever may take long. */
export const LIMIT_FLAGS = {
  timeout: value('<duration>', 'wait no longer than this', parseDuration),
  patience: value(
    '<duration>',
    'how long to try to reach a server that is away; 5m where left out',
    parseDuration,
  ),
};

/** The longest that a timer takes, some 24 days: behind a longer one it would be over at once. */
const LONGEST_MS = 2 ** 31 - 1;

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
      this.#timeout = setTimeout(
        () => {
          this.timedOut = true;
          this.end();
        },
        Math.min(timeout, LONGEST_MS),
      );
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
    this.#giveUp ??= setTimeout(
      () => {
        this.given = this.#away();
        this.end();
      },
      Math.min(this.#patienceMs, LONGEST_MS),
    );
  }

  /** Nobody waits any more. */
  end(): void {
    clearTimeout(this.#timeout);
    this.found();
    this.#ended.abort();
  }
}

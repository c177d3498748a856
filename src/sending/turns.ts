/** When one send may go, on the clock of `performance.now()`, and of which paces it is. */
export interface Turn {
  atMs: number;
  paces: readonly { id: string; intervalMs: number }[];
}

/** What is later than this for its turn is given back: it would push what comes behind it further and further. */
const LATEST_MS = 1_000;
const MAX_PACES = 10_000;

/**
 * Keeps the sends of this process apart as they were booked: one that comes late, because its claim took long, must not go
 * together with the one behind it.
 */
export class Turns {
  /** The last send of each pace, and how late it was for its turn. */
  readonly #last = new Map<string, { goesAtMs: number; lateMs: number }>();

  /** When it goes, which is not before its turn; undefined where that would be too late. */
  take({ atMs, paces }: Turn): number | undefined {
    const nowMs = performance.now();
    let goesAtMs = Math.max(nowMs, atMs);
    for (const { id, intervalMs } of paces) {
      const last = this.#last.get(id);
      // No later than the last one was, whatever its rate is now: turns are apart as their rates were.
      if (last) goesAtMs = Math.max(goesAtMs, Math.min(last.goesAtMs + intervalMs, atMs + last.lateMs));
    }
    if (goesAtMs > Math.max(nowMs, atMs) + LATEST_MS) return undefined;
    if (this.#last.size > MAX_PACES) this.#forget(nowMs);
    for (const { id } of paces) this.#last.set(id, { goesAtMs, lateMs: goesAtMs - atMs });
    return goesAtMs;
  }

  #forget(nowMs: number): void {
    for (const [id, { goesAtMs }] of this.#last) if (goesAtMs <= nowMs) this.#last.delete(id);
  }
}

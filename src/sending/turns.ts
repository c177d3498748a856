/** When one send may go, on the clock of `performance.now()`, and the paces that it belongs to. */
export interface Turn {
  atMs: number;
  paces: readonly { id: string; intervalMs: number }[];
}

/**
 * A send that would go this much later than its turn is given back: it would push back those behind it ever further.
 */
const LATEST_MS = 1_000;
const MAX_PACES = 10_000;

/**
 * Keeps the sends of this process apart as they were booked: one that comes late, because its claim or its timer took
 * long, must not go together with the one behind it.
 */
export class Turns {
  /** The last send of each pace, and how late it was for its turn. */
  readonly #last = new Map<string, { atMs: number; lateMs: number }>();

  /**
   * Lets a send go now, which returns 0, or says how long it waits before it asks again; undefined where that is too
   * late.
   */
  go({ atMs, paces }: Turn): number | undefined {
    const nowMs = performance.now();
    let freeAtMs = atMs;
    for (const { id, intervalMs } of paces) {
      const last = this.#last.get(id);
      // No later for its turn than the last one was, whatever the rate is now: turns are apart as their rates were.
      if (last) freeAtMs = Math.max(freeAtMs, Math.min(last.atMs + intervalMs, atMs + last.lateMs));
    }
    if (freeAtMs > atMs + LATEST_MS && freeAtMs > nowMs) return undefined;
    if (freeAtMs > nowMs) return freeAtMs - nowMs;
    if (this.#last.size > MAX_PACES) this.#forget(nowMs);
    for (const { id } of paces) this.#last.set(id, { atMs: nowMs, lateMs: nowMs - atMs });
    return 0;
  }

  /** Forgets those that have sent nothing for some time. */
  #forget(nowMs: number): void {
    for (const [id, last] of this.#last) if (last.atMs < nowMs - LATEST_MS) this.#last.delete(id);
  }
}

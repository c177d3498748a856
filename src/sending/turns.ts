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
 * long, must not go together with the one behind it. The order is that in which they ask: of two that are late, the
 * timer of the second may ring first.
 */
export class Turns {
  /** The last send of each pace, and the interval that it was booked with. */
  readonly #last = new Map<string, { atMs: number; intervalMs: number }>();

  /**
   * Lets a send go now, which returns 0, or says how long it waits before it asks again; undefined where that is too
   * late.
   */
  go({ atMs, paces }: Turn): number | undefined {
    const nowMs = performance.now();
    let freeAtMs = atMs;
    for (const { id, intervalMs } of paces) {
      const last = this.#last.get(id);
      // The shorter interval of both: where a rate became slower, the turns around the change are apart as the faster.
      if (last) freeAtMs = Math.max(freeAtMs, last.atMs + Math.min(last.intervalMs, intervalMs));
    }
    if (freeAtMs > atMs + LATEST_MS && freeAtMs > nowMs) return undefined;
    if (freeAtMs > nowMs) return freeAtMs - nowMs;
    if (this.#last.size > MAX_PACES) this.#forget(nowMs);
    for (const { id, intervalMs } of paces) this.#last.set(id, { atMs: nowMs, intervalMs });
    return 0;
  }

  /** Forgets those that have sent nothing for some time. */
  #forget(nowMs: number): void {
    for (const [id, last] of this.#last) if (last.atMs < nowMs - LATEST_MS) this.#last.delete(id);
  }
}

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
  readonly #freeAtMs = new Map<string, number>();

  /** When it goes, which is not before its turn; undefined where that would be too late. */
  take({ atMs, paces }: Turn): number | undefined {
    const nowMs = performance.now();
    const freeAtMs = paces.map(({ id }) => this.#freeAtMs.get(id) ?? 0);
    const goesAtMs = Math.max(nowMs, atMs, ...freeAtMs);
    if (goesAtMs > Math.max(nowMs, atMs) + LATEST_MS) return undefined;
    if (this.#freeAtMs.size > MAX_PACES) this.#forget(nowMs);
    for (const { id, intervalMs } of paces) this.#freeAtMs.set(id, goesAtMs + intervalMs);
    return goesAtMs;
  }

  #forget(nowMs: number): void {
    for (const [id, freeAtMs] of this.#freeAtMs) if (freeAtMs <= nowMs) this.#freeAtMs.delete(id);
  }
}

/** Work that goes on in parallel with the call that began it, and is told when to take nothing more. */
export interface EarlySlice {
  /** It takes nothing more, and drains by itself. */
  end(): void;
}

/**
 * Slices that no step of an operation waits for. They send the items selected so far while more are being selected,
 * which keeps Postgres busy and not this process; and they continue work that a worker has left behind. They belong to
 * the worker and not to their caller, who must not wait for a slow request to end.
 */
export class EarlySlices {
  readonly #most: number;
  readonly #stopping: AbortSignal;
  readonly #running = new Set<Promise<void>>();

  constructor(most: number, stopping: AbortSignal) {
    this.#most = most;
    this.#stopping = stopping;
  }

  /** How many more may run. */
  get room(): number {
    return this.#stopping.aborted ? 0 : Math.max(0, this.#most - this.#running.size);
  }

  /**
   * Begins a slice, which does not reject, until it is ended or this worker stops; undefined where there is no room.
   */
  begin(run: (stop: AbortSignal) => Promise<unknown>): EarlySlice | undefined {
    if (this.room === 0) return undefined;
    const end = new AbortController();
    const abort = () => end.abort();
    this.#stopping.addEventListener('abort', abort);
    const running = run(end.signal).then(() => {
      this.#running.delete(running);
      this.#stopping.removeEventListener('abort', abort);
    });
    this.#running.add(running);
    return { end: abort };
  }

  /** Resolves when all that run now have drained. */
  async drained(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** A wait of one loop that can be cut short: by a poke, or by its stop signal. */
export class Wake {
  readonly #stop: AbortSignal;
  #resolve: (() => void) | undefined;
  #poked = false;

  constructor(stop: AbortSignal) {
    this.#stop = stop;
    stop.addEventListener('abort', () => this.poke(), { once: true });
  }

  /** Ends the present wait, or the next one before it begins. */
  poke(): void {
    this.#poked = true;
    this.#resolve?.();
  }

  /**
   * Resolves after `ms` milliseconds, when poked or stopped, or when `also` resolves; says whether it was poked.
   * Another end of the wait is passed as `also` and not raced against it: a wait that lost a race would go on and
   * swallow the next poke.
   */
  async wait(ms: number, also?: Promise<void>): Promise<boolean> {
    if (!this.#poked && !this.#stop.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        timer = setTimeout(resolve, ms);
        void also?.then(resolve);
      });
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    const poked = this.#poked;
    this.#poked = false;
    return poked;
  }
}

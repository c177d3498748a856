/** Something to wait on that can be cut short: by a poke, or by its stop signal. */
export class Wake {
  #resolve: (() => void) | undefined;
  #poked = false;

  constructor(stop: AbortSignal) {
    stop.addEventListener('abort', () => this.poke(), { once: true });
  }

  /** Ends the present wait, or the next one before it begins. */
  poke(): void {
    this.#poked = true;
    this.#resolve?.();
  }

  /** Resolves after `ms` milliseconds, or when poked. */
  async wait(ms: number): Promise<void> {
    if (!this.#poked) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#poked = false;
  }
}

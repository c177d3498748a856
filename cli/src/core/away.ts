/** Tells once that a server is away, and once that it is there again, however often it is tried meanwhile. */
export class Away {
  #isAway = false;

  /** It was not reached: what to say, undefined where that has been said. */
  lost(what: string): string | undefined {
    if (this.#isAway) return undefined;
    this.#isAway = true;
    return `${what} It is tried again until it is there.`;
  }

  /** It was reached: what to say, undefined where it was never away. */
  found(): string | undefined {
    if (!this.#isAway) return undefined;
    this.#isAway = false;
    return 'The server is there again.';
  }
}

const REMEMBERED_MS = 1_000;

/** Whether first deliveries and single retries go through this process at the moment: bulk work makes itself small meanwhile. */
export class LiveTraffic {
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /** Says that something of it was claimed just now. */
  note(): void {
    this.#seenAtMs = performance.now();
  }

  /** Something of it was claimed within the last second. */
  get flows(): boolean {
    return performance.now() - this.#seenAtMs < REMEMBERED_MS;
  }
}

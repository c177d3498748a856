import { setTimeout as delay } from 'node:timers/promises';

const REMEMBERED_MS = 1_000;
/** How much longer than it has worked bulk work rests, and how long at most: a step that met a lock is no reason for more. */
const REST = 3;
const REST_AT_MOST_MS = 500;

/** Whether first deliveries and single retries go through this process at the moment: bulk work makes itself small meanwhile. */
export class LiveTraffic {
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /** Says that there is something of it just now. */
  note(): void {
    this.#seenAtMs = performance.now();
  }

  /** There was something of it within the last second. */
  get flows(): boolean {
    return performance.now() - this.#seenAtMs < REMEMBERED_MS;
  }

  /**
   * What bulk work does after each of its steps while there is: nothing, for some times as long as the step has taken. A
   * step takes long where much else waits for the same cores, and then it makes more room. Ends at once when stopped.
   */
  async rest(beganMs: number, stop: AbortSignal): Promise<void> {
    const restMs = Math.min((performance.now() - beganMs) * REST, REST_AT_MOST_MS);
    await delay(restMs, undefined, { signal: stop }).catch(() => {});
  }
}

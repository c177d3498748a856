import { setTimeout as delay } from 'node:timers/promises';

const REMEMBERED_MS = 1_000;
/**
 * Bulk work rests this many times as long as it has worked, but no longer than half a second: a step that met a lock is
 * no reason for more.
 */
const REST = 3;
const REST_AT_MOST_MS = 500;

/**
 * Whether first deliveries and single retries go through this process at present: bulk work makes itself small
 * meanwhile.
 */
export class LiveTraffic {
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /** Notes that there is live traffic just now. */
  note(): void {
    this.#seenAtMs = performance.now();
  }

  /** There was live traffic within the last second. */
  get flows(): boolean {
    return performance.now() - this.#seenAtMs < REMEMBERED_MS;
  }

  /**
   * Rests after a step of bulk work while there is live traffic, for some times as long as the step has taken. A step
   * takes long where much else waits for the same cores, and then the rest makes more room. Ends at once when stopped.
   */
  async rest(beganMs: number, stop: AbortSignal): Promise<void> {
    const restMs = Math.min((performance.now() - beganMs) * REST, REST_AT_MOST_MS);
    await delay(restMs, undefined, { signal: stop }).catch(() => {});
  }
}

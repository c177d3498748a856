import { Wake } from './wake.ts';

/** Settings of a loop. */
export interface RepeatOptions {
  stop: AbortSignal;
  /** Between the end of a round and the next one; a round that returns `again` is followed at once. */
  everyMs: number;
  /** Cuts the waits short; one of its own where absent. */
  wake?: Wake;
  /** Hears of a round that failed; the next one comes as ever. */
  failed(error: unknown): void;
}

/** Does rounds until stopped, also after one that failed. */
export async function repeat(
  round: () => Promise<unknown>,
  { stop, everyMs, failed, wake = new Wake(stop) }: RepeatOptions,
): Promise<void> {
  while (!stop.aborted) {
    let next: unknown;
    try {
      next = await round();
    } catch (error) {
      failed(error);
    }
    if (next !== 'again') await wake.wait(everyMs);
  }
}

import { type Eta, endedItems, estimateEta } from '../../../domain/operations/eta.ts';
import type { Operation } from '../../../domain/operations/operation.ts';

/** A rate over less says little, one over more forgets that things change. */
const MIN_SPAN_MS = 1_000;
const MAX_SPAN_MS = 15_000;
const MIN_SPACING_MS = 200;
const MAX_OPERATIONS = 1_000;

type Sample = { atMs: number; ended: number };

/**
 * Remembers the counts of operations that this process saw in the last seconds, and estimates from them when an
 * operation has sent everything.
 */
export class ProgressRate {
  readonly #samples = new Map<string, Sample[]>();

  /** Takes note of an operation's counts; returns the estimate, where there is one. */
  observe(operation: Operation, nowMs: number): Eta | undefined {
    return estimateEta(operation, this.#perSecond(operation, nowMs), new Date());
  }

  /** Items that ended in a second, as it was seen lately; undefined where too little was. */
  #perSecond({ id, counts, state }: Operation, nowMs: number): number | undefined {
    const samples = this.#samples.get(id) ?? [];
    // Set again, so that the map is in the order of use and the first is the one to forget.
    this.#samples.delete(id);
    if (state !== 'running') return undefined;
    this.#samples.set(id, samples);
    const [oldest] = this.#samples.keys();
    if (this.#samples.size > MAX_OPERATIONS && oldest !== undefined) this.#samples.delete(oldest);

    const ended = endedItems(counts);
    if (nowMs - (samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= MIN_SPACING_MS)
      samples.push({ atMs: nowMs, ended });
    while (samples[0] !== undefined && nowMs - samples[0].atMs > MAX_SPAN_MS) samples.shift();
    const [first] = samples;
    if (first === undefined || nowMs - first.atMs < MIN_SPAN_MS || ended <= first.ended) return undefined;
    return ((ended - first.ended) * 1_000) / (nowMs - first.atMs);
  }
}

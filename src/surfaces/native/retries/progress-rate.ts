import type { Operation } from '../../../domain/operations/operation.ts';
import { openItems } from '../../../domain/operations/operation-counts.ts';

/** A rate over less says little, one over more forgets that things change. */
const MIN_SPAN_MS = 1_000;
const MAX_SPAN_MS = 15_000;
const MIN_SPACING_MS = 200;
const MAX_OPERATIONS = 1_000;

type Sample = { atMs: number; finished: number };

/**
 * Estimates when an operation has sent everything, from what this process saw of it in the last seconds. It says
 * nothing where it would have to guess: before it has seen progress, and while items wait for a time or a human.
 */
export class ProgressRate {
  readonly #samples = new Map<string, Sample[]>();

  /** Takes note of an operation's counts; the estimate in seconds, where there is one. */
  observe(operation: Operation, nowMs: number): number | undefined {
    const { id, counts, state } = operation;
    const samples = this.#samples.get(id) ?? [];
    // Set anew, so that the map is in the order of use and the first is the one to forget.
    this.#samples.delete(id);
    if (state !== 'running') return undefined;
    this.#samples.set(id, samples);
    const [oldest] = this.#samples.keys();
    if (this.#samples.size > MAX_OPERATIONS && oldest !== undefined) this.#samples.delete(oldest);

    const finished = counts.expected - counts.excluded - openItems(counts);
    if (nowMs - (samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) >= MIN_SPACING_MS)
      samples.push({ atMs: nowMs, finished });
    while (samples[0] !== undefined && nowMs - samples[0].atMs > MAX_SPAN_MS) samples.shift();
    const [first] = samples;
    if (first === undefined || nowMs - first.atMs < MIN_SPAN_MS || finished <= first.finished)
      return undefined;
    if (counts.scheduled + counts.unknown > 0) return undefined;
    const perMs = (finished - first.finished) / (nowMs - first.atMs);
    return Math.ceil((counts.queued + counts.sending) / perMs / 1_000);
  }
}

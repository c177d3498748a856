import {
  afterAnswer,
  firstWindow,
  type SeenAnswer,
  type SocketWindow,
} from '../domain/sending/socket-window.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';

/** The window of one owner's work in this process, as long as answers come in. */
interface KeptWindow {
  window: SocketWindow;
  untilMs: number;
}

/** The next slice of an operation goes on with the window of the one before it; after a pause it begins as the first. */
const KEPT_MS = 10_000;
const MOST_KEPT = 256;

/**
 * Sockets of this process for slices whose endpoints take their time, in addition to those that each slice has: they
 * are shared in equal parts, so that memory and open files are bounded whatever the latency, and no slice takes what
 * another needs.
 */
export class SpareSockets {
  readonly #all: number;
  readonly #windows = new Map<Id<'operation'>, KeptWindow>();
  #slices = 0;

  constructor(all: number) {
    this.#all = all;
  }

  /** Counts a slice as long as it runs. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.#slices += 1;
    try {
      return await run();
    } finally {
      this.#slices -= 1;
    }
  }

  /** How many requests a slice that always has `least` may have in flight now. */
  socketsOf(workedBy: Id<'operation'>, least: number): number {
    return Math.min(this.#kept(workedBy, least).window.sockets, this.#mostOf(least));
  }

  /** Takes an answer to a request of such a slice. */
  noteAnswer(workedBy: Id<'operation'>, least: number, answer: SeenAnswer): void {
    const kept = this.#kept(workedBy, least);
    kept.window = afterAnswer(kept.window, answer, { least, most: this.#mostOf(least) });
    kept.untilMs = performance.now() + KEPT_MS;
  }

  #mostOf(least: number): number {
    return least + Math.floor(this.#all / Math.max(1, this.#slices));
  }

  #kept(workedBy: Id<'operation'>, least: number): KeptWindow {
    const nowMs = performance.now();
    const kept = this.#windows.get(workedBy);
    if (kept && kept.untilMs > nowMs) return kept;
    if (this.#windows.size >= MOST_KEPT) this.#forget(nowMs);
    const fresh = { window: firstWindow(least), untilMs: nowMs + KEPT_MS };
    this.#windows.set(workedBy, fresh);
    return fresh;
  }

  #forget(nowMs: number): void {
    for (const [workedBy, { untilMs }] of this.#windows) if (untilMs <= nowMs) this.#windows.delete(workedBy);
  }
}

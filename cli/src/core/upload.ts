/** Counts the lines of a text that comes in parts: the last one need not end. */
export class LineCounter {
  /** Lines that have ended. */
  ended = 0;
  /** How long all of it was so far. */
  bytes = 0;
  #open = false;

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
      this.ended += 1;
      from = at + 1;
    }
    if (bytes.length > 0) this.#open = from < bytes.length;
  }

  /** All lines, with one that has not ended. */
  get lines(): number {
    return this.ended + (this.#open ? 1 : 0);
  }
}

const NEWLINE = 0x0a;

/** What comes behind so many lines of a text in parts; every part is seen by `counter`, those that are passed over, too. */
export async function* behindLines(
  parts: AsyncIterable<Uint8Array>,
  passed: number,
  counter: LineCounter,
): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    const before = counter.ended;
    counter.add(part);
    if (before >= passed) {
      yield part;
      continue;
    }
    if (counter.ended < passed) continue;
    let from = 0;
    for (let left = passed - before; left > 0; left -= 1) from = part.indexOf(NEWLINE, from) + 1;
    if (from < part.length) yield part.subarray(from);
  }
}

/** `theirs=ours` of each mapping: an endpoint as the lines name it, and the one here. */
export function mapOf(said: readonly string[], refuse: (text: string) => Error): Record<string, string> {
  return Object.fromEntries(
    said.map((text) => {
      // Names of theirs can hold one, handles and ids of ours cannot.
      const at = text.lastIndexOf('=');
      if (at < 1 || at === text.length - 1) throw refuse(text);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** A line of a file without its end, or the fact that it was too long to be kept. */
export type SplitLine = Buffer | 'too_long';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Splits bytes into lines as they arrive, and holds no more than one of them. A line that is longer than `maxBytes` is
 * passed over to its end.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #tooLong = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this chunk ends. */
  *push(chunk: Buffer): Generator<SplitLine> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#add(chunk.subarray(from, at));
      from = at + 1;
      yield this.#take();
    }
    this.#add(chunk.subarray(from));
  }

  /** The last line, where no newline ends it. */
  end(): SplitLine | undefined {
    return this.#bytes === 0 && !this.#tooLong ? undefined : this.#take();
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    // One more for the return before the newline.
    if (this.#bytes > this.#maxBytes + 1) this.#tooLong = true;
    if (this.#tooLong) this.#parts = [];
    else this.#parts.push(part);
  }

  #take(): SplitLine {
    const [first] = this.#parts;
    const line = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts);
    const tooLong = this.#tooLong;
    this.#parts = [];
    this.#bytes = 0;
    this.#tooLong = false;
    if (tooLong) return 'too_long';
    const text = line.at(-1) === RETURN ? line.subarray(0, -1) : line;
    return text.length > this.#maxBytes ? 'too_long' : text;
  }
}

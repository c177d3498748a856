/** A line of a file without its end, or the fact that it was too long to be kept. */
export type SplitLine = Buffer | 'too_long';

/** A line, and how many bytes have arrived for it, with its end. */
export interface ArrivedLine {
  line: SplitLine;
  bytes: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);
const FIRST_ROOM = 1_024;

/**
 * Splits bytes into lines as they arrive, and holds no more than one of them, in one place: a line may come byte by byte.
 * A line that is longer than `maxBytes` is passed over to its end.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  /** What is kept of the line that has not ended, at the beginning of the room for it. */
  #room = NOTHING;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the line that has not ended. */
  get openBytes(): number {
    return this.#bytes;
  }

  /** The lines that this chunk ends. */
  *push(chunk: Buffer): Generator<ArrivedLine> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      const part = chunk.subarray(from, at);
      from = at + 1;
      if (this.#bytes > 0) {
        this.#keep(part);
        yield this.#take(1);
      } else yield { line: this.#lineOf(part, part.length), bytes: part.length + 1 };
    }
    this.#keep(chunk.subarray(from));
  }

  /** The last line, where no newline ends it. */
  end(): ArrivedLine | undefined {
    return this.#bytes === 0 ? undefined : this.#take(0);
  }

  #keep(part: Buffer): void {
    const at = this.#bytes;
    this.#bytes += part.length;
    if (this.#bytes > this.#mostKept) {
      this.#room = NOTHING;
      return;
    }
    if (this.#bytes > this.#room.length) {
      // Twice as much each time: what was kept is moved a few times at most.
      const wanted = Math.max(this.#bytes, 2 * this.#room.length, FIRST_ROOM);
      const room = Buffer.allocUnsafe(Math.min(wanted, this.#mostKept));
      this.#room.copy(room, 0, 0, at);
      this.#room = room;
    }
    part.copy(this.#room, at);
  }

  #take(endBytes: number): ArrivedLine {
    const taken = { line: this.#lineOf(this.#room, this.#bytes), bytes: this.#bytes + endBytes };
    this.#room = NOTHING;
    this.#bytes = 0;
    return taken;
  }

  #lineOf(room: Buffer, bytes: number): SplitLine {
    if (bytes > this.#mostKept) return 'too_long';
    const text = room.subarray(0, room[bytes - 1] === RETURN ? bytes - 1 : bytes);
    return text.length > this.#maxBytes ? 'too_long' : text;
  }

  /** One more than a line has, for the return before the newline. */
  get #mostKept(): number {
    return this.#maxBytes + 1;
  }
}

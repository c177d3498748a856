import { MAX_JSON_DEPTH } from '../../domain/json/json-depth.ts';

/** How much a body may hold. */
export interface BodyLimits {
  bytes: number;
  /** Members of objects and entries of arrays together, at every depth. */
  members: number;
}

/** The limit that a body exceeds. */
export type BodyExcess = 'bytes' | 'members' | 'depth';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENS = [0x5b, 0x7b];
const CLOSES = [0x5d, 0x7d];

/**
 * Measures JSON while it arrives, chunk by chunk, so that a body that is too large is refused before anything is made
 * of it. Reads strings, brackets and commas only: any bytes will do, and whether they are JSON is for the parser to
 * say.
 */
export class BodyMeter {
  readonly #limits: BodyLimits;
  #bytes = 0;
  #members = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Takes note of the next chunk; returns the limit that is exceeded by now, if any. */
  add(chunk: Uint8Array): BodyExcess | undefined {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.bytes) return 'bytes';
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) this.#inString = true;
      // A comma stands before every member but the first of a container, which its bracket counts for.
      else if (byte === COMMA) this.#members += 1;
      else if (OPENS.includes(byte)) {
        this.#members += 1;
        this.#depth += 1;
        if (this.#depth > MAX_JSON_DEPTH) return 'depth';
      } else if (CLOSES.includes(byte)) this.#depth -= 1;
      if (this.#members > this.#limits.members) return 'members';
    }
    return undefined;
  }
}

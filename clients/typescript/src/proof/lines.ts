/** Text of many lines: whole, in parts as they come, or as a stream of them. */
export type Lines = string | Uint8Array | AsyncIterable<string | Uint8Array> | ReadableStream<Uint8Array>;

const NEWLINE = 0x0a;

/** A piece of a line: of one that is long it is not the only one. */
export interface LinePiece {
  bytes: Uint8Array;
  /** The line ends with it. */
  isLast: boolean;
}

/**
 * The lines of a text in pieces, in bytes as they are and without their newlines; empty ones are left out. The last line
 * need not end. A piece is to be used before the next one is asked for: whoever reads may use its memory again.
 */
export async function* piecesOf(source: Lines): AsyncGenerator<LinePiece, void, undefined> {
  let isOpen = false;
  for await (const part of partsOf(source)) {
    let begin = 0;
    for (let end = part.indexOf(NEWLINE); end !== -1; end = part.indexOf(NEWLINE, begin)) {
      if (isOpen || end > begin) yield { bytes: part.subarray(begin, end), isLast: true };
      isOpen = false;
      begin = end + 1;
    }
    if (begin === part.length) continue;
    isOpen = true;
    yield { bytes: part.subarray(begin), isLast: false };
  }
  if (isOpen) yield { bytes: new Uint8Array(0), isLast: true };
}

/** The lines of a text; empty ones are left out. */
export async function* linesOf(source: Lines): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let line = '';
  for await (const { bytes, isLast } of piecesOf(source)) {
    line += decoder.decode(bytes, { stream: !isLast });
    if (!isLast) continue;
    yield line;
    line = '';
  }
}

async function* partsOf(source: Lines): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  const bytesOf = (part: string | Uint8Array) => (typeof part === 'string' ? encoder.encode(part) : part);
  if (typeof source === 'string' || source instanceof Uint8Array) {
    yield bytesOf(source);
    return;
  }
  if (!(source instanceof ReadableStream)) {
    for await (const part of source) yield bytesOf(part);
    return;
  }
  // Not every browser can iterate over a stream.
  const reader = source.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

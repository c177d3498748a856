/** Text of many lines: whole, in parts as they come, or as a stream of them. */
export type Lines = string | Uint8Array | AsyncIterable<string | Uint8Array> | ReadableStream<Uint8Array>;

const NEWLINE = 0x0a;

/** The lines of a text, in bytes as they are and without their newlines; empty ones are left out. */
export async function* linesOf(source: Lines): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of partsOf(source)) {
    let begin = 0;
    for (let end = part.indexOf(NEWLINE); end !== -1; end = part.indexOf(NEWLINE, begin)) {
      const line = joined(rest, part.subarray(begin, end));
      rest = new Uint8Array(0);
      begin = end + 1;
      if (line.length > 0) yield line;
    }
    // A copy: whoever reads may use the same memory for the next part.
    rest = new Uint8Array(joined(rest, part.subarray(begin)));
  }
  if (rest.length > 0) yield rest;
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

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

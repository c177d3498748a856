const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The exact source text of the member `payload` of the object, or of each object of the array, that `text` is; the
 * last one where it is repeated, as `JSON.parse` takes it, and undefined where there is none.
 *
 * Parsing and writing again would change what is signed and delivered: whitespace, 1.0, 12345678901234567890, escapes
 * and the order of keys. The text must be valid JSON already, which is why nothing here looks for faults.
 */
export function payloadSlices(text: string): (string | undefined)[] {
  let at = skipSpace(text, 0);
  if (text[at] === '{') return [payloadOf(text, at).slice];
  if (text[at] !== '[') return [];
  const slices: (string | undefined)[] = [];
  at = skipSpace(text, at + 1);
  while (text[at] !== ']') {
    if (text[at] === '{') {
      const { slice, end } = payloadOf(text, at);
      slices.push(slice);
      at = end;
    } else {
      slices.push(undefined);
      at = afterValue(text, at);
    }
    at = skipSpace(text, at);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return slices;
}

/** The index behind the string that begins at `at`; the end of the text where it is not closed. */
export function afterString(text: string, at: number): number {
  let from = at + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function payloadOf(text: string, open: number): { slice: string | undefined; end: number } {
  let slice: string | undefined;
  let at = skipSpace(text, open + 1);
  while (text[at] !== '}') {
    const nameEnd = afterString(text, at);
    const name = text.slice(at + 1, nameEnd - 1);
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = afterValue(text, start);
    if (isPayload(name)) slice = text.slice(start, end);
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return { slice, end: at + 1 };
}

/** A name may be written with escapes, the longest spelling being six characters for each of its own. */
function isPayload(name: string): boolean {
  if (name === 'payload') return true;
  return name.length <= 42 && name.includes('\\') && JSON.parse(`"${name}"`) === 'payload';
}

/** The index behind the value that begins at `start`. */
export function afterValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return afterString(text, start);
  if (first !== 0x7b && first !== 0x5b) return afterScalar(text, start);
  let depth = 0;
  let at = start;
  do {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = afterString(text, at) - 1;
        break;
      case 0x7b:
      case 0x5b:
        depth += 1;
        break;
      case 0x7d:
      case 0x5d:
        depth -= 1;
        break;
    }
    at += 1;
  } while (depth > 0);
  return at;
}

function afterScalar(text: string, start: number): number {
  let at = start;
  while (at < text.length && !' \t\n\r,]}'.includes(text[at] as string)) at += 1;
  return at;
}

/** The index of the first character at or behind `start` that is no whitespace of JSON. */
export function skipSpace(text: string, start: number): number {
  let at = start;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

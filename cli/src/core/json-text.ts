const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The source texts of the entries of an array, which the text must be: what is parsed and written again has lost digits. */
export function entriesIn(text: string): string[] {
  const entries: string[] = [];
  let at = behindSpace(text, behindSpace(text, 0) + 1);
  while (text[at] !== ']') {
    const end = behindValue(text, at);
    entries.push(text.slice(at, end));
    at = behindSpace(text, end);
    if (text[at] === ',') at = behindSpace(text, at + 1);
  }
  return entries;
}

/** The source text of a member of an object, which the text must be; undefined where it has no such member. */
export function memberIn(text: string, name: string): string | undefined {
  let found: string | undefined;
  let at = behindSpace(text, behindSpace(text, 0) + 1);
  while (text[at] !== '}') {
    const nameEnd = behindString(text, at);
    const start = behindSpace(text, behindSpace(text, nameEnd) + 1);
    const end = behindValue(text, start);
    if (JSON.parse(text.slice(at, nameEnd)) === name) found = text.slice(start, end);
    at = behindSpace(text, end);
    if (text[at] === ',') at = behindSpace(text, at + 1);
  }
  return found;
}

function behindValue(text: string, start: number): number {
  if (text.charCodeAt(start) === QUOTE) return behindString(text, start);
  if (text[start] !== '{' && text[start] !== '[') {
    let at = start;
    while (at < text.length && !' \t\n\r,]}'.includes(text[at] as string)) at += 1;
    return at;
  }
  let depth = 0;
  let at = start;
  do {
    const character = text[at];
    if (character === '"') at = behindString(text, at) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    at += 1;
  } while (depth > 0);
  return at;
}

function behindString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function behindSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\n\r'.includes(text[at] as string)) at += 1;
  return at;
}

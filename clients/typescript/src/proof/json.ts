/** An object of JSON. */
export type Members = Record<string, unknown>;

/** Whether a value is an object of JSON. */
export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How deep JSON may nest: as the API takes it, and far deeper than anything that is signed or sealed. */
const MAX_DEPTH = 256;

/**
 * The value that a text is; undefined where it is no JSON, or nests so deep that whoever walks through it would run out
 * of stack.
 */
export function valueIn(text: string): unknown {
  if (nestsTooDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The object that a text is; undefined where it is something else. */
export function objectIn(text: string): Members | undefined {
  const value = valueIn(text);
  return isObject(value) ? value : undefined;
}

/** Reads brackets and strings only, so any text will do. */
function nestsTooDeep(text: string): boolean {
  // Each level has two brackets.
  if (text.length <= 2 * MAX_DEPTH) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length && depth <= MAX_DEPTH; at += 1) {
    const char = text[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === '[' || char === '{')) depth += 1;
    else if (!quoted && (char === ']' || char === '}')) depth -= 1;
  }
  return depth > MAX_DEPTH;
}

/**
 * One text for all JSON that means the same: members sorted by UTF-16 code units, no whitespace, numbers and strings
 * as ECMAScript writes them (RFC 8785). The value must come from `JSON.parse`.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

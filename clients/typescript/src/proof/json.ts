/** An object of JSON. */
export type Members = Record<string, unknown>;

/** Whether a value is an object of JSON. */
export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an object has no members but these. */
export function hasOnly(value: Members, names: readonly string[]): boolean {
  return Object.keys(value).every((name) => names.includes(name));
}

/** How deep JSON may nest: as the API takes it, and far deeper than anything that is signed or sealed. */
const MAX_DEPTH = 256;

/**
 * The value that a text is, where it says one thing only: undefined where it is no JSON, has a member twice or a number
 * beyond what a double holds, or nests so deep that whoever walks through it would run out of stack. `JSON.parse` takes
 * the last of two members and others take the first, so that a reader would see what was not verified.
 */
export function valueIn(text: string): unknown {
  const written = membersWritten(text);
  if (written === undefined) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    return membersHeld(value) === written ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The object that a text is; undefined where it is something else. */
export function objectIn(text: string): Members | undefined {
  const value = valueIn(text);
  return isObject(value) ? value : undefined;
}

/** How many members are written in a text of JSON, each has one colon; undefined where it nests too deep. */
function membersWritten(text: string): number | undefined {
  let depth = 0;
  let members = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (char === ':') members += 1;
    else if (char === ']' || char === '}') depth -= 1;
    else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > MAX_DEPTH) return undefined;
    }
  }
  return members;
}

/** How many members there are in a value; not a number where a number of it is beyond what can be written again. */
function membersHeld(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : Number.NaN;
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value);
  return inside.reduce<number>(
    (sum, each) => sum + membersHeld(each),
    Array.isArray(value) ? 0 : inside.length,
  );
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

import { isObject } from './member-reader.ts';

/** The most bytes of unknown members that are kept of a line. */
export const MAX_MEMBERS_BYTES = 16 * 1024;

/** The members that a format knows; where it reads only some of what is in one, or in its entries, which of them. */
export interface KnownMembers {
  readonly [name: string]: true | KnownMembers;
}

/** Headers, and names in which secrets hide, are left where they are: nobody needs them here. */
const NEVER_KEPT =
  /header|cookie|authori[sz]ation|authentication|secret|token|signature|passw|passphrase|passcode|pwd|credential|bearer|jwt|(api|private|signing|access|account|encryption|shared|master|hmac|ssh)[^a-z0-9]?key/i;

/** Words that are a secret where they stand alone, and harmless in `author` and `passenger`. */
const SECRET_WORD = /(^|[^a-z])(auth|oauth[12]?|pass|pin|otp|cvc|cvv)([^a-z]|$)/;

/**
 * The members of a line that its format does not know, as JSON; undefined where there are none. What is named like a
 * header or a secret is left out, however deep it is.
 */
export function keptMembers(
  line: Record<string, unknown>,
  known: KnownMembers,
): { members?: string } | 'too_large' {
  const unknown = unknownOf(line, known);
  if (unknown === undefined) return {};
  const members = JSON.stringify(unknown, (name, value) => (isNeverKept(name) ? undefined : value));
  // A text has at most three bytes for each of its units.
  if (members.length > MAX_MEMBERS_BYTES / 3 && utf8Bytes(members) > MAX_MEMBERS_BYTES) return 'too_large';
  return { members };
}

/** What is unknown of a value; undefined where nothing is. Entries of a list keep their places. */
function unknownOf(value: unknown, known: KnownMembers): unknown {
  if (Array.isArray(value)) {
    const entries = value.map((entry) => unknownOf(entry, known));
    return entries.some((entry) => entry !== undefined) ? entries.map((entry) => entry ?? {}) : undefined;
  }
  if (!isObject(value)) return undefined;
  const unknown: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    const within = Object.hasOwn(known, name) ? known[name] : undefined;
    if (within === true || isNeverKept(name)) continue;
    const left = within === undefined ? member : unknownOf(member, within);
    if (left !== undefined) unknown.push([name, left]);
  }
  return unknown.length === 0 ? undefined : Object.fromEntries(unknown);
}

function isNeverKept(name: string): boolean {
  if (NEVER_KEPT.test(name)) return true;
  return SECRET_WORD.test(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase());
}

/** The length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7ff) bytes += 2;
    else if (code > 0x7f) bytes += 1;
    // The two halves of a pair have four bytes in all, of which two are counted.
    if (code >= 0xd800 && code <= 0xdbff) at += 1;
  }
  return bytes;
}

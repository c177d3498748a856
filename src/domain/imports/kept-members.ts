/** The most bytes of unknown members that are kept of a line. */
export const MAX_MEMBERS_BYTES = 16 * 1024;

/** Headers, and names under which secrets hide, are left where they are: nobody needs them here. */
const NEVER_KEPT = /header|cookie|authorization|secret|token|signature|passw|credential|api[-_]?key/i;

/**
 * The members of a line that its format does not know, as JSON; undefined where there are none. What is named like a
 * header or a secret is left out, however deep it is.
 */
export function keptMembers(
  line: Record<string, unknown>,
  known: ReadonlySet<string>,
): { members?: string } | 'too_large' {
  const unknown = Object.entries(line).filter(([name]) => !known.has(name) && !NEVER_KEPT.test(name));
  if (unknown.length === 0) return {};
  const members = JSON.stringify(Object.fromEntries(unknown), (name, value) =>
    NEVER_KEPT.test(name) ? undefined : value,
  );
  // A text has at most three bytes for each of its units.
  if (members.length > MAX_MEMBERS_BYTES / 3 && utf8Bytes(members) > MAX_MEMBERS_BYTES) return 'too_large';
  return members === '{}' ? {} : { members };
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

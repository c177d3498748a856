import { afterString, afterValue, skipSpace } from './payload-slices.ts';

/**
 * The exact source text of a member of the object that `text` is, by its path through objects; the last one where a
 * name is repeated, as `JSON.parse` takes it, and undefined where there is none. The text must be valid JSON already.
 */
export function memberSlice(text: string, path: readonly string[]): string | undefined {
  let slice: string | undefined = text.slice(skipSpace(text, 0));
  for (const name of path) {
    slice = slice === undefined ? undefined : memberOf(slice, name);
  }
  return slice;
}

function memberOf(text: string, wanted: string): string | undefined {
  if (text[0] !== '{') return undefined;
  let slice: string | undefined;
  let at = skipSpace(text, 1);
  while (text[at] !== '}') {
    const nameEnd = afterString(text, at);
    const name = text.slice(at + 1, nameEnd - 1);
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = afterValue(text, start);
    if (name === wanted || (name.includes('\\') && JSON.parse(`"${name}"`) === wanted))
      slice = text.slice(start, end);
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return slice;
}

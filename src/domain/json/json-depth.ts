import { afterString } from './payload-slices.ts';

/** How deep JSON may nest: no event needs more, and parsing millions of brackets would hold up everybody else. */
export const MAX_JSON_DEPTH = 256;

/** Where the text first nests deeper than `maxDepth`; reads brackets and strings only, so any text will do. */
export function tooDeepAt(text: string, maxDepth: number): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = afterString(text, at) - 1;
        break;
      case 0x5b:
      case 0x7b:
        depth += 1;
        if (depth > maxDepth) return at;
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        break;
    }
  }
  return undefined;
}

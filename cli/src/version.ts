import { readFileSync } from 'node:fs';

/** The version of this command line, from the one place that says it: the same file from `src` and from `dist`. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;

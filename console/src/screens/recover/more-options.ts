import type { Schema } from '../../api/client.ts';
import { inputText, type SearchInput } from '../../api/search-input.ts';
import type { Pace } from './pace.ts';

/** The options of a recovery that have no field of their own on the screen. */
export type MoreOptions = Omit<Schema<'RetryOptions'>, keyof Pace>;

const same = (text: string) => text;
// What is none of these stays as it is written, for the API to refuse: left out it would be another recovery.
const number = (text: string) => (/^\d{1,12}$/.test(text) ? Number(text) : text);
const truth = (text: string) => (text === 'true' ? true : text);

/** How each stands in a URL, under its own name: one that is missing here does not compile. */
const READ: Readonly<Record<keyof Required<MoreOptions>, (text: string) => unknown>> = {
  maxConcurrency: number,
  notBefore: same,
  giveUpAfterMs: number,
  disabledPatienceMs: number,
  takeOverScheduled: truth,
  includeResent: truth,
  onAmbiguous: same,
};

/** Their names. */
export const MORE_OPTIONS = Object.keys(READ) as (keyof MoreOptions)[];

/** Those in a URL; what only a replay has is left out of a retry, as the choice on the screen says. */
export function moreOptionsOf(search: SearchInput): MoreOptions {
  const replay = inputText(search.mode) === 'replay';
  return Object.fromEntries(
    MORE_OPTIONS.filter((name) => replay || name !== 'includeResent').flatMap((name) => {
      const text = inputText(search[name]);
      return text === undefined ? [] : [[name, READ[name](text)]];
    }),
  );
}

/** The same as parameters of a URL; what is off is not said. */
export function moreOptionsSearch(options: MoreOptions): SearchInput {
  return Object.fromEntries(
    MORE_OPTIONS.flatMap((name) => {
      const value = options[name];
      return value === undefined || value === false ? [] : [[name, String(value)]];
    }),
  );
}

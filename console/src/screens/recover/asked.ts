import type { Schema } from '../../api/client.ts';
import { inputText, readSearch, type SearchInput, writeSearch } from '../../api/search-input.ts';
import { moreOptionsOf, moreOptionsSearch } from './more-options.ts';
import { paceOf, paceSearch } from './pace.ts';
import { type Selection, selectionOf, selectionSearch } from './selection.ts';

/** What is asked of a recovery, but for its words: what a draft says, and what a plan was made of. */
export interface Asked {
  select: Selection;
  mode: 'retry' | 'replay';
  target: 'original' | 'current';
  newIdentity: boolean;
  options: Schema<'OperationOptions'>;
}

/** Longer than this a server in between may refuse the address. */
const MOST_CHARACTERS = 8_000;

/** What a URL asks for. */
export function askedIn(search: SearchInput): Asked & { options: Schema<'RetryOptions'> } {
  const replay = inputText(search.mode) === 'replay';
  return {
    select: selectionOf(search),
    mode: replay ? 'replay' : 'retry',
    target: inputText(search.target) === 'original' ? 'original' : 'current',
    newIdentity: replay && inputText(search.identity) === 'new',
    options: { ...paceOf(search), ...moreOptionsOf(search) },
  };
}

/** What a plan was made of. */
export function askedBy({ select, kind, target, newIdentity, options }: Schema<'Plan'>): Asked {
  return { select, mode: kind, target, newIdentity, options };
}

/**
 * The URL of a draft that asks for the same; or why there is none: what a draft cannot say is never left out in silence,
 * for that would be a wider selection or a bolder run.
 */
export function draftSearch(asked: Asked): { search: SearchInput } | { refused: string } {
  const search = {
    ...selectionSearch(asked.select),
    ...paceSearch(asked.options),
    ...moreOptionsSearch(asked.options),
    ...(asked.target === 'original' ? { target: asked.target } : {}),
    ...(asked.mode === 'replay' ? { mode: asked.mode } : {}),
    ...(asked.newIdentity ? { identity: 'new' } : {}),
  };
  const text = writeSearch(search);
  if (text.length > MOST_CHARACTERS)
    return { refused: 'Its selection is too long for an address: make a new plan by the command line.' };
  const lost = differing(asked, askedIn(readSearch(text)));
  return lost.length === 0
    ? { search }
    : { refused: `This screen cannot say ${lost.join(', ')}: make a new plan as this one was made.` };
}

/** The members of one, by their paths, that another does not have so; or where there are none, what it has besides. */
function differing(one: Asked, other: Asked): string[] {
  const [left, right] = [leavesOf(one), leavesOf(other)];
  const lost = [...left.keys()].filter((path) => left.get(path) !== right.get(path));
  return lost.length > 0 ? lost : [...right.keys()].filter((path) => !left.has(path));
}

/** Each value by its path, in one form for all that means the same. */
function leavesOf({ select, options, ...others }: Asked): Map<string, string> {
  const leaves = new Map<string, string>();
  const add = (value: unknown, path: string) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [name, each] of Object.entries(value)) add(each, path === '' ? name : `${path}.${name}`);
    else if (value !== undefined && value !== null) leaves.set(path, JSON.stringify(value));
  };
  add({ ...others, select: meant(select), options: set(options) }, '');
  return leaves;
}

function meant({ filter, ...others }: Selection): Selection {
  // An outage shows the filter that it was at the time: asked for again, it is as it is then.
  if (others.outage !== undefined || typeof filter !== 'object' || filter === null) return others;
  const { state } = filter as { state?: unknown };
  return { ...others, filter: { ...filter, state: Array.isArray(state) ? [...state].sort() : ['failed'] } };
}

/** Options that are off are as if they were not there. */
function set(options: Asked['options']): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== false));
}

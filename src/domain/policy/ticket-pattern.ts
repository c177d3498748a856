/*
 * The forms of tickets are a small part of regular expressions: alternatives of characters and classes, each with a
 * number of times. It means what it means everywhere, and is matched in a time that follows the length of the text: a
 * pattern that was written to keep an engine busy cannot be written in it (docs/decisions/operations).
 */

/** One character, or one of a class, so many times in a row. */
interface Part {
  takes(char: string): boolean;
  min: number;
  max: number;
}

/** A form of tickets: one of its sequences has to match the whole text. */
export type TicketForm = readonly (readonly Part[])[];

/** The most characters of a pattern. */
export const MAX_PATTERN = 200;

/** No part can be asked for more often: a ticket has at most 255 characters. */
const MOST_TIMES = 255;

const CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: '0-9A-Za-z_' };

/** Characters that mean something, or would elsewhere; as themselves they stand behind a backslash. */
const SPECIAL = /[\\^$.*+?()[\]{}|/]/;

/** Reads a pattern; undefined where it is none. */
export function readTicketPattern(pattern: string): TicketForm | undefined {
  if (pattern.length === 0 || pattern.length > MAX_PATTERN || !/^[\x20-\x7e]+$/.test(pattern))
    return undefined;
  const inner = pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  const forms: Part[][] = [[]];
  for (let rest = inner; rest.length > 0; ) {
    const at = forms.at(-1) as Part[];
    if (rest.startsWith('|')) {
      forms.push([]);
      rest = rest.slice(1);
      continue;
    }
    const atom = readAtom(rest);
    if (!atom) return undefined;
    const times = readTimes(rest.slice(atom.length));
    if (!times) return undefined;
    at.push({ takes: atom.takes, min: times.min, max: times.max });
    rest = rest.slice(atom.length + times.length);
  }
  // An empty alternative would let every operation pass without a ticket.
  return forms.every((form) => form.some(({ min }) => min > 0)) ? forms : undefined;
}

/** Whether a ticket has a form, as a whole. */
export function matchesForm(form: TicketForm, ticket: string): boolean {
  const chars = [...ticket];
  return form.some((parts) => {
    // How far the text can be read by the parts so far, in every way at once: nothing is tried twice.
    let reached = new Set([0]);
    for (const part of parts) {
      const next = new Set<number>();
      for (const from of reached)
        for (let to = from; to - from <= part.max; to++) {
          if (to - from >= part.min) next.add(to);
          if (to >= chars.length || !part.takes(chars[to] as string)) break;
        }
      if (next.size === 0) return false;
      reached = next;
    }
    return reached.has(chars.length);
  });
}

/** Whether a ticket has the form of a pattern; none has that of a pattern that cannot be read. */
export function matchesTicket(pattern: string, ticket: string): boolean {
  const form = readTicketPattern(pattern);
  return form !== undefined && matchesForm(form, ticket);
}

function readAtom(text: string): { takes(char: string): boolean; length: number } | undefined {
  const [first = ''] = text;
  if (first === '\\') {
    const escaped = text[1];
    if (escaped === undefined) return undefined;
    const ofClass = CLASSES[escaped];
    if (ofClass !== undefined) return { takes: inRanges(ofClass), length: 2 };
    return SPECIAL.test(escaped) || escaped === '-'
      ? { takes: (char) => char === escaped, length: 2 }
      : undefined;
  }
  if (first === '[') {
    const ranges = /^\[([0-9A-Za-z_ -]+)\]/.exec(text)?.[1];
    if (ranges === undefined || !/^(?:[0-9A-Za-z_ ](?:-[0-9A-Za-z])?)*-?$/.test(ranges)) return undefined;
    if (rangesOf(ranges).some(([from, to]) => from > to)) return undefined;
    return { takes: inRanges(ranges), length: ranges.length + 2 };
  }
  return SPECIAL.test(first) ? undefined : { takes: (char) => char === first, length: 1 };
}

function readTimes(text: string): { min: number; max: number; length: number } | undefined {
  switch (text[0]) {
    case '?':
      return { min: 0, max: 1, length: 1 };
    case '*':
      return { min: 0, max: MOST_TIMES, length: 1 };
    case '+':
      return { min: 1, max: MOST_TIMES, length: 1 };
    case '{': {
      const [all, from, comma, to] = /^\{(\d{1,3})(,)?(\d{1,3})?\}/.exec(text) ?? [];
      if (all === undefined || (comma === undefined && to !== undefined)) return undefined;
      const min = Number(from);
      const max = comma === undefined ? min : to === undefined ? MOST_TIMES : Number(to);
      return max >= min && max > 0 && max <= MOST_TIMES ? { min, max, length: all.length } : undefined;
    }
    default:
      return { min: 1, max: 1, length: 0 };
  }
}

function rangesOf(text: string): [string, string][] {
  return [...text.matchAll(/(.)-(.)|(.)/g)].map(([, from, to, one = '']) => [from ?? one, to ?? one]);
}

function inRanges(text: string): (char: string) => boolean {
  const ranges = rangesOf(text);
  return (char) => char.length === 1 && ranges.some(([from, to]) => char >= from && char <= to);
}

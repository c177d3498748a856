import { entriesIn, isJson } from './json-text.ts';

/** Events of one request at most, and how long it gets: what a request may hold is 8 MiB. */
const MOST_EVENTS = 100;
const MOST_BYTES = 4 * 1_024 * 1_024;

/** Events that are sent together, as texts of JSON, and the number of the first of them in their file, from 1. */
export interface EventBatch {
  first: number;
  events: readonly string[];
}

/**
 * The events in a text, each as it is written there: one, an array of them, or one a line. `refuse` is told the line that
 * is no JSON.
 */
export function eventTexts(text: string, refuse: (line: number) => Error): string[] {
  const json = text.replace(/^\uFEFF/, '');
  if (isJson(json)) return json.trimStart().startsWith('[') ? entriesIn(json) : [json.trim()];
  return json.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    if (!isJson(line)) throw refuse(index + 1);
    return [line.trim()];
  });
}

/** Events in requests: as many of them as one may hold. */
export function* batchesOf(events: readonly string[], begin = 0): Generator<EventBatch> {
  let from = begin;
  while (from < events.length) {
    let bytes = 0;
    let to = from;
    while (to < events.length && to - from < MOST_EVENTS) {
      bytes += Buffer.byteLength(events[to] ?? '') + 1;
      // One that is too long by itself is refused by the server, which says why.
      if (to > from && bytes > MOST_BYTES) break;
      to += 1;
    }
    yield { first: from + 1, events: events.slice(from, to) };
    from = to;
  }
}

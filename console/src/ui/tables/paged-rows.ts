import { useQueries } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { pagesFor } from './pages-for.ts';

/** A list that is read page by page, however long it is. */
export interface Pages<Row> {
  key: readonly unknown[];
  fetch: (cursor: string | undefined, limit: number, signal: AbortSignal) => Promise<Page<Row>>;
}

interface Page<Row> {
  items: Row[];
  nextCursor: string | null;
}

/** The rows that are known of, of which only those in sight are kept. */
export interface PagedRows<Row> {
  count: number;
  at: (index: number) => Row | undefined;
  show: (first: number, last: number) => void;
  isPending: boolean;
  error: unknown;
  refetch: () => void;
  /** The list goes on behind the last row that is known. */
  more: boolean;
}

/** How far a list is known: where each of its pages begins, and how many rows the last one has. */
interface Known {
  identity: string;
  cursors: readonly (string | undefined)[];
  lastLength: number;
}

const SIZE = 100;

/** Reads the pages in sight; a page that was left behind is dropped, and read again when one comes back to it. */
export function usePagedRows<Row>(pages: Pages<Row>): PagedRows<Row> {
  // Each look begins anew: pages of two looks would not fit together where rows came in between.
  const [look] = useState(() => Date.now());
  const identity = JSON.stringify(pages.key);
  const [known, setKnown] = useState<Known>(() => unknown(identity));
  const [sight, setSight] = useState({ first: 0, last: 0 });
  const current = known.identity === identity ? known : unknown(identity);
  if (known !== current) {
    setKnown(current);
    setSight({ first: 0, last: 0 });
  }
  const lastKnown = current.cursors.length - 1;
  const wanted = pagesFor(sight, lastKnown);
  const results = useQueries({
    queries: wanted.map((page) => ({
      queryKey: [...pages.key, look, current.cursors[page] ?? null],
      queryFn: ({ signal }: { signal: AbortSignal }) => pages.fetch(current.cursors[page], SIZE, signal),
      staleTime: Number.POSITIVE_INFINITY,
      // A list that is scrolled through leaves some twenty pages a second behind.
      gcTime: 10_000,
    })),
  });
  const end = results[wanted.indexOf(lastKnown)]?.data;
  useEffect(() => {
    if (!end) return;
    setKnown((before) => {
      if (before.identity !== identity) return before;
      if (end.nextCursor !== null && !before.cursors.includes(end.nextCursor))
        return { ...before, cursors: [...before.cursors, end.nextCursor], lastLength: 0 };
      return before.lastLength === end.items.length ? before : { ...before, lastLength: end.items.length };
    });
  }, [end, identity]);
  const show = useCallback((from: number, to: number) => {
    const next = { first: Math.floor(from / SIZE), last: Math.floor(to / SIZE) };
    setSight((before) => (before.first === next.first && before.last === next.last ? before : next));
  }, []);
  return {
    count: lastKnown * SIZE + (end?.items.length ?? current.lastLength),
    at: (index) => results[wanted.indexOf(Math.floor(index / SIZE))]?.data?.items[index % SIZE],
    show,
    isPending: results[0]?.isPending === true,
    error: results.find(({ error }) => error !== null)?.error ?? null,
    refetch: () => {
      for (const result of results) if (result.error !== null) void result.refetch();
    },
    more: end ? end.nextCursor !== null : current.lastLength === 0,
  };
}

function unknown(identity: string): Known {
  return { identity, cursors: [undefined], lastLength: 0 };
}

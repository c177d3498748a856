import { useQueries } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';

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

const SIZE = 100;

/** Reads the pages in sight; a page that was left behind is dropped, and read again when one comes back to it. */
export function usePagedRows<Row>(pages: Pages<Row>): PagedRows<Row> {
  const identity = JSON.stringify(pages.key);
  const [known, setKnown] = useState({
    identity,
    cursors: [undefined] as (string | undefined)[],
    lastLength: 0,
  });
  const [sight, setSight] = useState({ first: 0, last: 0 });
  const current = known.identity === identity ? known : { identity, cursors: [undefined], lastLength: 0 };
  if (known.identity !== identity) {
    setKnown(current);
    setSight({ first: 0, last: 0 });
  }
  const last = Math.min(sight.last, current.cursors.length - 1);
  const first = Math.min(sight.first, last);
  const inSight = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  const results = useQueries({
    queries: inSight.map((page) => ({
      queryKey: [...pages.key, current.cursors[page] ?? null, SIZE],
      queryFn: ({ signal }: { signal: AbortSignal }) => pages.fetch(current.cursors[page], SIZE, signal),
      gcTime: 60_000,
    })),
  });
  const end = results[inSight.indexOf(current.cursors.length - 1)]?.data;
  useEffect(() => {
    if (!end) return;
    setKnown((before) => {
      if (before.identity !== identity) return before;
      if (end.nextCursor === null || before.cursors.includes(end.nextCursor))
        return before.lastLength === end.items.length ? before : { ...before, lastLength: end.items.length };
      return { ...before, cursors: [...before.cursors, end.nextCursor], lastLength: 0 };
    });
  }, [end, identity]);
  const show = useCallback((from: number, to: number) => {
    const next = { first: Math.floor(from / SIZE), last: Math.floor(to / SIZE) };
    setSight((before) => (before.first === next.first && before.last === next.last ? before : next));
  }, []);
  const failed = results.find(({ error }) => error !== null);
  return {
    count: (current.cursors.length - 1) * SIZE + current.lastLength,
    at: (index) => results[Math.floor(index / SIZE) - first]?.data?.items[index % SIZE],
    show,
    isPending: results[0]?.isPending === true,
    error: failed?.error ?? null,
    refetch: () => {
      for (const result of results) void result.refetch();
    },
    more: current.cursors.length > 1 && current.lastLength === 0,
  };
}

import { type RefObject, useCallback, useLayoutEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import { ROW_PX, type RowWindow, rowWindow, scrolledTo } from './row-window.ts';

/** The heads of the columns stay in sight above the rows. */
const HEAD_PX = 32;

/** Before the frame is there: a screenful of rows. */
const GUESSED_PX = 20 * ROW_PX;

/** Follows which rows of a list of `count` are in sight of the frame that scrolls it; `scrollTo` brings one there. */
export function useRowWindow(
  frame: RefObject<HTMLElement | null>,
  count: number,
): RowWindow & { scrollTo: (index: number) => void } {
  const [shown, setShown] = useState(() => rowWindow({ count, scrolledPx: 0, sightPx: GUESSED_PX }));
  const look = useCallback(() => {
    const element = frame.current;
    if (!element) return;
    const next = rowWindow({ count, ...measured(element) });
    setShown((before) => (sameWindow(before, next) ? before : next));
  }, [frame, count]);
  const isThere = count > 0;
  useLayoutEffect(look, [look]);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!isThere || !element) return;
    // In the frame in which it is scrolled: a later one would show a gap first.
    const onScroll = () => flushSync(look);
    element.addEventListener('scroll', onScroll, { passive: true });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    return () => {
      element.removeEventListener('scroll', onScroll);
      sizes.disconnect();
    };
  }, [frame, look, isThere]);
  const scrollTo = useCallback(
    (index: number) => {
      const element = frame.current;
      if (!element) return;
      element.scrollTop = scrolledTo(index, { count, ...measured(element) });
      // Whoever scrolls by keys wants the row, which would come with the event only.
      look();
    },
    [frame, count, look],
  );
  return { ...shown, end: Math.min(shown.end, count), scrollTo };
}

function measured({ scrollTop, clientHeight }: HTMLElement) {
  return { scrolledPx: scrollTop, sightPx: Math.max(ROW_PX, clientHeight - HEAD_PX) };
}

function sameWindow(one: RowWindow, other: RowWindow): boolean {
  return (
    one.first === other.first &&
    one.end === other.end &&
    one.abovePx === other.abovePx &&
    one.belowPx === other.belowPx
  );
}

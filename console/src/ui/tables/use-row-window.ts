import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react';
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
  // Kept as they were told: to ask the frame makes the browser lay out all that has just been drawn.
  const place = useRef({ scrolledPx: 0, sightPx: GUESSED_PX });
  const [shown, setShown] = useState(() => rowWindow({ count, ...place.current }));
  const look = useCallback(() => {
    const next = rowWindow({ count, ...place.current });
    setShown((before) => (sameWindow(before, next) ? before : next));
  }, [count]);
  const isThere = count > 0;
  useLayoutEffect(look, [look]);
  const latest = useRef(look);
  latest.current = look;
  useLayoutEffect(() => {
    const element = frame.current;
    if (!isThere || !element) return;
    const measure = () => {
      place.current = {
        scrolledPx: element.scrollTop,
        sightPx: Math.max(ROW_PX, element.clientHeight - HEAD_PX),
      };
    };
    measure();
    latest.current();
    const onScroll = () => {
      place.current.scrolledPx = element.scrollTop;
      // In the frame in which it is scrolled: a later one would show a gap first.
      flushSync(() => latest.current());
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    const sizes = new ResizeObserver(() => {
      measure();
      latest.current();
    });
    sizes.observe(element);
    return () => {
      element.removeEventListener('scroll', onScroll);
      sizes.disconnect();
    };
  }, [frame, isThere]);
  const scrollTo = useCallback(
    (index: number) => {
      const element = frame.current;
      if (!element) return;
      element.scrollTop = scrolledTo(index, { count, ...place.current });
      place.current.scrolledPx = element.scrollTop;
      // Whoever scrolls by keys wants the row, which would come with the event only.
      look();
    },
    [frame, count, look],
  );
  return { ...shown, end: Math.min(shown.end, count), scrollTo };
}

function sameWindow(one: RowWindow, other: RowWindow): boolean {
  return (
    one.first === other.first &&
    one.end === other.end &&
    one.abovePx === other.abovePx &&
    one.belowPx === other.belowPx
  );
}

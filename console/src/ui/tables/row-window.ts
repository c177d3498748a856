/** Every row of a long list has this height, so that nothing has to be measured. */
export const ROW_PX = 36;

/** Browsers lay out no element that is much higher: Firefox ends at 17.8 million pixels, Chromium at 33.5 million. */
export const HIGHEST_PX = 15_000_000;

/** With the head and the two rows that hold the place of the others there are never more than 100. */
const MOST_ROWS = 96;

/** Rows before and behind those in sight, so that a turn of the wheel finds them there. */
const OVERSCAN = 12;

/** How a list lies in its frame. */
export interface Frame {
  count: number;
  /** How far it is scrolled, and how much of its rows is in sight. */
  scrolledPx: number;
  sightPx: number;
}

/** The rows that are in the document, from the first up to but not with `end`, and the height of what is left out around them. */
export interface RowWindow {
  first: number;
  end: number;
  abovePx: number;
  belowPx: number;
}

/**
 * The rows around those in sight. A list that is higher than a browser can lay out is drawn in less height: it scrolls
 * past more rows for each pixel, and those in sight stand where they are seen.
 */
export function rowWindow({ count, scrolledPx, sightPx }: Frame): RowWindow {
  const { drawnPx, scale } = scaleOf(count, sightPx);
  const scrolled = Math.max(0, Math.min(scrolledPx, drawnPx - sightPx));
  const from = scrolled * scale;
  // By so much rows are drawn higher up than they lie.
  const lift = from - scrolled;
  const [seenFirst, seenEnd] = [Math.floor(from / ROW_PX), Math.ceil((from + sightPx) / ROW_PX)];
  const overscan = Math.max(0, Math.min(OVERSCAN, Math.floor((MOST_ROWS - (seenEnd - seenFirst)) / 2)));
  // What would stand before the beginning of what is drawn, or behind its end, is out of sight.
  const first = Math.max(0, Math.ceil(lift / ROW_PX - TOLERANCE), seenFirst - overscan);
  const end = Math.max(
    first,
    Math.min(count, Math.floor((drawnPx + lift) / ROW_PX + TOLERANCE), seenEnd + overscan),
  );
  return {
    first,
    end,
    abovePx: Math.max(0, first * ROW_PX - lift),
    belowPx: Math.max(0, drawnPx - (end * ROW_PX - lift)),
  };
}

/** How far a list has to be scrolled for a row to be in sight, which is not at all where it is. */
export function scrolledTo(index: number, { count, scrolledPx, sightPx }: Frame): number {
  const { scale } = scaleOf(count, sightPx);
  const from = scrolledPx * scale;
  if (index * ROW_PX < from) return (index * ROW_PX) / scale;
  if ((index + 1) * ROW_PX > from + sightPx) return ((index + 1) * ROW_PX - sightPx) / scale;
  return scrolledPx;
}

/** Fractions of numbers do not add up to the last digit. */
const TOLERANCE = 1e-6;

function scaleOf(count: number, sightPx: number): { drawnPx: number; scale: number } {
  const wholePx = count * ROW_PX;
  const drawnPx = Math.min(wholePx, HIGHEST_PX);
  return { drawnPx, scale: wholePx === drawnPx ? 1 : (wholePx - sightPx) / (drawnPx - sightPx) };
}

import { grownWindow, isFree } from '../sending/endpoint-health.ts';
import { concurrencyShare } from '../sending/pacing.ts';

/** The requests at a time that an endpoint allows, and that it bears at present. */
export interface Slots {
  maxConcurrency?: number;
  window?: number;
}

/**
 * How long a number of sends takes at best where each holds a slot for so long: the share of bulk work is all in use, and
 * the window grows with each answer, those of live traffic among them. Undefined where slots limit nothing.
 */
export function inSlots(
  sends: number,
  { maxConcurrency, window }: Slots,
  holdsMs: number,
): number | undefined {
  if (maxConcurrency === undefined && window === undefined) return undefined;
  const share = (slots: number) => concurrencyShare(Math.max(1, Math.floor(slots)), 'bulk');
  let ms = 0;
  let left = sends;
  // At best nothing else is in flight, and the window is free as soon as it may be.
  const isOver = (bears: number) => left <= 0 || isFree(bears, 0);
  for (let bears = window ?? Number.POSITIVE_INFINITY; !isOver(bears); bears = grownWindow(bears, bears)) {
    if (maxConcurrency !== undefined && bears >= maxConcurrency) break;
    const round = share(bears);
    ms += holdsMs * Math.min(1, left / round);
    left -= round;
  }
  return left <= 0 || maxConcurrency === undefined ? ms : ms + (left * holdsMs) / share(maxConcurrency);
}

/** The slots that bulk work has for certain: its share of what is allowed and borne now, or one where order is kept. */
export function slotsNow({ maxConcurrency, window }: Slots, ordered: boolean): number | undefined {
  // In the worst case all deliveries are of one key, and go one behind the other.
  if (ordered) return 1;
  if (maxConcurrency === undefined && window === undefined) return undefined;
  const least = Math.min(
    maxConcurrency ?? Number.POSITIVE_INFINITY,
    Math.floor(window ?? Number.POSITIVE_INFINITY),
  );
  return concurrencyShare(Math.max(1, least), 'bulk');
}

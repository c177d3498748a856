import { IANAZone } from 'luxon';

/** A stretch of time in which the clocks of a zone are the same time ahead of UTC. Milliseconds since 1970. */
export interface ZoneSegment {
  fromMs: number;
  toMs: number;
  aheadMs: number;
}

/** Clocks do not change back within this time: a change is seen by looking so often. */
const LOOK_EVERY_MS = 6 * 3_600_000;

/** Whether it is the name of a time zone of the IANA database. */
export function isZone(name: string): boolean {
  return IANAZone.isValidZone(name);
}

/** The stretches between two times within which the clocks of a zone do not change, in their order. */
export function zoneSegments(zone: string, fromMs: number, toMs: number): ZoneSegment[] {
  const clocks = IANAZone.create(zone);
  if (!clocks.isValid) throw new Error('there is no such time zone');
  const aheadMs = (atMs: number): number => clocks.offset(atMs) * 60_000;
  const segments: ZoneSegment[] = [];
  let beganMs = fromMs;
  for (let seenMs = fromMs; seenMs < toMs; ) {
    const nextMs = Math.min(toMs, seenMs + LOOK_EVERY_MS);
    if (aheadMs(nextMs) !== aheadMs(beganMs)) {
      const changeMs = firstOther(aheadMs, seenMs, nextMs);
      segments.push({ fromMs: beganMs, toMs: changeMs, aheadMs: aheadMs(beganMs) });
      beganMs = changeMs;
    }
    seenMs = nextMs;
  }
  if (beganMs < toMs) segments.push({ fromMs: beganMs, toMs, aheadMs: aheadMs(beganMs) });
  return segments;
}

/** The first millisecond at which a value is no longer the one at the beginning. */
function firstOther(valueAt: (atMs: number) => number, fromMs: number, toMs: number): number {
  const value = valueAt(fromMs);
  let same = fromMs;
  let other = toMs;
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (valueAt(middle) === value) same = middle;
    else other = middle;
  }
  return other;
}

/** Receivers refuse signatures whose time is, as a rule, five minutes from theirs. */
const FAR_MS = 60_000;

/** A question to another clock: when it was asked and answered by ours, and what the other one said, in milliseconds. */
export interface ClockReading {
  askedAt: number;
  answeredAt: number;
  other: number;
}

/**
 * How far our clock is ahead of the other one at least, in milliseconds; below 0 it is behind. However long the answer
 * took, only what lies outside of that time counts.
 */
export function aheadAtLeast({ askedAt, answeredAt, other }: ClockReading): number {
  return other < askedAt ? askedAt - other : Math.min(0, answeredAt - other);
}

/** Whether clocks are so far apart that receivers will refuse what is signed by one of them. */
export function isFarApart(aheadMs: number): boolean {
  return Math.abs(aheadMs) > FAR_MS;
}

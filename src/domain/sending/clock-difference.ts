/** Receivers refuse signatures whose time is, as a rule, five minutes from theirs. */
const FAR_MS = 60_000;

/** A question to another clock: when it was asked and answered by ours, and what the other one said, in milliseconds. */
export interface ClockReading {
  askedAt: number;
  answeredAt: number;
  other: number;
}

/**
 * How far our clock is ahead of the other one, in milliseconds; undefined where it is not far. However long the answer
 * took, only what lies outside of that time counts.
 */
export function farAhead({ askedAt, answeredAt, other }: ClockReading): number | undefined {
  const ahead = other < askedAt ? askedAt - other : Math.min(0, answeredAt - other);
  return Math.abs(ahead) > FAR_MS ? ahead : undefined;
}

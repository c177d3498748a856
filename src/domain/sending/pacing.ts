/** How far ahead of the clock bulk work may reserve; live work may use the whole burst, so it always gets through. */
export const BULK_AHEAD_MS = 250;

/** So late may bulk work come for its place and still have it: nobody wakes on the very millisecond. */
export const BULK_LATE_MS = 100;

/** How far ahead live work may reserve at rates of more than one a second. */
export const LIVE_BURST_MS = 1_000;

/**
 * How far ahead live work may reserve; `readyEndpoints` says the same in SQL. Never less than one interval, or a single
 * bulk request would hold live work up at a slow rate.
 */
export function liveBurstMs(ratePerSecond: number): number {
  return Math.max(LIVE_BURST_MS, 1_000 / ratePerSecond);
}

/** The share of an endpoint's concurrency that bulk work leaves to live work. */
export const LIVE_HEADROOM = 0.25;

/** A reservation under the generic cell rate algorithm: how many may go, and the next theoretical arrival time. */
export interface Reservation {
  granted: number;
  arrivalMs: number;
}

/**
 * Reserves up to `wanted` sends at `ratePerSecond`. Times are milliseconds of one clock, the database's.
 * Bulk reserves only when the arrival time has passed.
 */
export function reserve(
  arrivalMs: number,
  nowMs: number,
  ratePerSecond: number,
  wanted: number,
  lane: 'bulk' | 'live',
): Reservation {
  const intervalMs = 1_000 / ratePerSecond;
  const start = Math.max(arrivalMs, lane === 'bulk' ? nowMs - BULK_LATE_MS : nowMs);
  if (lane === 'bulk' && arrivalMs > nowMs) return { granted: 0, arrivalMs };
  const aheadMs = lane === 'bulk' ? BULK_AHEAD_MS : liveBurstMs(ratePerSecond);
  const roomMs = nowMs + aheadMs - start;
  if (roomMs < 0) return { granted: 0, arrivalMs };
  const granted = Math.min(wanted, Math.max(1, Math.floor(roomMs / intervalMs)));
  return { granted, arrivalMs: start + granted * intervalMs };
}

/** How many of `maxConcurrency` slots a lane may hold, bulk leaving headroom wherever there is more than one. */
export function concurrencyShare(maxConcurrency: number, lane: 'bulk' | 'live'): number {
  return lane === 'live' ? maxConcurrency : Math.max(1, Math.floor(maxConcurrency * (1 - LIVE_HEADROOM)));
}

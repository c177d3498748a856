/** The requests that one slice may have in flight at present. */
export interface SocketWindow {
  sockets: number;
  /** How long its endpoints take to answer: of each the least, and of all the mean over its requests. */
  answerMs: number;
}

/** An answer, as the window of its slice sees it. */
export interface SeenAnswer {
  /** The least that its endpoint takes. */
  leastMs: number;
  /** What this one took. */
  tookMs: number;
  /** Requests of the slice that were in flight when it came. */
  inFlight: number;
}

/** The requests that a slice may always have in flight, and the most of them. */
export interface SocketBounds {
  least: number;
  most: number;
}

/** More than one slice makes of endpoints that answer at once: its window is not to be what limits it. */
const WANTED_PER_SECOND = 10_000;
const SMOOTHED = 1 / 64;
/** An answer that took more than this many times the least has waited: more in flight would wait longer, and bring nothing. */
const WAITED = 2;
/** Requests to an endpoint that wait for nothing but it, as far as we can tell: so few are in flight there. */
const FEW = 4;
const FORGOTTEN = 1 / 4;

/** The window of a slice that has sent nothing yet. */
export function firstWindow(least: number): SocketWindow {
  return { sockets: least, answerMs: 0 };
}

/**
 * Widens the window so that as much is in flight as endpoints of this latency need for the wanted rate, by one request
 * for each answer that came while the window was used: a receiver meets twice as many at once only when it has answered
 * as many. It is narrowed by one for each answer that has waited, in this process or before a receiver that has enough,
 * and at once where the endpoints are quicker. The least time of an endpoint counts and not the present one.
 */
export function afterAnswer(
  { sockets, answerMs: before }: SocketWindow,
  { leastMs, tookMs, inFlight }: SeenAnswer,
  { least, most }: SocketBounds,
): SocketWindow {
  const answerMs = before + (leastMs - before) * SMOOTHED;
  const wanted = Math.min(most, least + Math.ceil((WANTED_PER_SECOND * answerMs) / 1_000));
  const used = inFlight >= sockets / 2 ? sockets + 1 : sockets;
  const fitting = tookMs > WAITED * Math.max(1, leastMs) ? sockets - 1 : used;
  return { answerMs, sockets: Math.max(least, Math.min(wanted, fitting)) };
}

/**
 * The least time that an endpoint takes to answer, after an answer that took `tookMs`. It may have become slower for
 * good: that is learnt only from requests that found few others there, as all that a full one is sent has waited.
 */
export function leastAfter(leastMs: number | undefined, tookMs: number, others: number): number {
  if (leastMs === undefined || tookMs < leastMs) return tookMs;
  return others < FEW ? leastMs + (tookMs - leastMs) * FORGOTTEN : leastMs;
}

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
/** By how much the least time of an endpoint is forgotten with each answer: it may have become slower for good. */
const FORGOTTEN = 1.02;

/** The window of a slice that has sent nothing yet. */
export function firstWindow(least: number): SocketWindow {
  return { sockets: least, answerMs: 0 };
}

/**
 * Widens the window so that as much is in flight as endpoints of this latency need for the wanted rate, by one request
 * for each answer that came while the window was used: a receiver meets twice as many at once only when it has answered
 * as many. It is narrowed at once. The least time of an endpoint counts and not the present one: what waits in this
 * process, or before a receiver that has enough, is no reason to send it more.
 */
export function afterAnswer(
  { sockets, answerMs: before }: SocketWindow,
  { leastMs, inFlight }: SeenAnswer,
  { least, most }: SocketBounds,
): SocketWindow {
  const answerMs = before + (leastMs - before) * SMOOTHED;
  const wanted = Math.min(most, least + Math.ceil((WANTED_PER_SECOND * answerMs) / 1_000));
  const grown = inFlight >= sockets / 2 ? sockets + 1 : sockets;
  return { answerMs, sockets: Math.max(least, Math.min(wanted, grown)) };
}

/** The least time that an endpoint takes to answer, after an answer that took `tookMs`. */
export function leastAfter(leastMs: number | undefined, tookMs: number): number {
  return leastMs === undefined ? tookMs : Math.min(tookMs, Math.max(1, leastMs) * FORGOTTEN);
}

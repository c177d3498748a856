/**
 * The pages to read: those in sight, the one behind them, from which the list grows, and always the first, whose rows
 * would be others when it was read again.
 */
export function pagesFor(sight: { first: number; last: number }, lastKnown: number): number[] {
  const last = Math.min(sight.last + 1, lastKnown);
  const first = Math.min(sight.first, last);
  const seen = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  return seen[0] === 0 ? seen : [0, ...seen];
}

/** The most requests of any window of a second, by the receivers' clock; their times in order. */
export function mostInASecond(atMs: number[]): number {
  let from = 0;
  return atMs.reduce((most, at, to) => {
    while ((atMs[from] ?? at) <= at - 1_000) from += 1;
    return Math.max(most, to - from + 1);
  }, 0);
}

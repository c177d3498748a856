/** What a count rests on: everything that matches, or as much as was counted within its bounds. */
export const BASES = ['exact', 'atLeast'] as const;

/** One of {@link BASES}. */
export type Basis = (typeof BASES)[number];

/** So many matches are counted exactly; beyond them a count is a lower bound. */
export const COUNTED_EXACTLY = 100_000;

/** The first part is soon counted; a later one is lost where the time is over within it. */
const FIRST_PARTS = [10_000, 15_000];
const LATER_PART = 25_000;
const SMALLEST_PART = 1_000;

/**
 * The sizes of the parts that matches are counted in, newest first: what was counted before the time was over is
 * counted, and a few matches cost one small part.
 */
export function partSizes(most: number): number[] {
  const sizes: number[] = [];
  for (let left = most; left > 0; left -= sizes.at(-1) ?? 0) {
    const part = FIRST_PARTS[sizes.length] ?? LATER_PART;
    // A few more belong to the last one.
    sizes.push(left <= part + SMALLEST_PART ? left : part);
  }
  return sizes;
}

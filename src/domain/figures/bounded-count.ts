/** What a count rests on: everything that matches, or as much as was counted within its bounds. */
export const BASES = ['exact', 'atLeast'] as const;

/** One of {@link BASES}. */
export type Basis = (typeof BASES)[number];

/** So many matches are counted exactly; beyond them a count is a lower bound. */
export const COUNTED_EXACTLY = 100_000;

/**
 * The sizes of the parts that matches are counted in, newest first: what was counted before the time was over is
 * counted, and a few matches cost one small part.
 */
export function partSizes(most: number): number[] {
  const sizes = [
    Math.min(10_000, most),
    Math.min(30_000, Math.max(0, most - 10_000)),
    Math.max(0, most - 40_000),
  ];
  return sizes.filter((size) => size > 0);
}

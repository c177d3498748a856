/** The lengths of the spans of time that figures are counted by. */
export const GRANULARITIES = ['minute', 'hour', 'day'] as const;

/** One of {@link GRANULARITIES}. */
export type Granularity = (typeof GRANULARITIES)[number];

/** The most buckets of one answer: a day by the minute, with the minutes at both of its ends. */
export const MAX_BUCKETS = 1_500;

/** The length of a bucket; in UTC each has the same. */
export const BUCKET_MS: Readonly<Record<Granularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** Buckets that follow one another without a gap, from the one that holds the beginning of a range to that of its end. */
export interface TimeBuckets {
  granularity: Granularity;
  /** The first moment of the first bucket, and the first one behind the last. */
  fromMs: number;
  toMs: number;
  count: number;
}

/** The buckets that cover a range, whose end does not belong to it. */
export function bucketsOf(fromMs: number, toMs: number, granularity: Granularity): TimeBuckets {
  const length = BUCKET_MS[granularity];
  const first = Math.floor(fromMs / length) * length;
  const end = Math.ceil(toMs / length) * length;
  return { granularity, fromMs: first, toMs: end, count: Math.max(0, (end - first) / length) };
}

/** The first moment of each bucket. */
export function bucketStarts({ granularity, fromMs, count }: TimeBuckets): number[] {
  return Array.from({ length: count }, (_, n) => fromMs + n * BUCKET_MS[granularity]);
}

/** Counts for every bucket, 0 where none is named; counts of other times are left out. */
export function filled(buckets: TimeBuckets, counts: readonly { atMs: number; count: number }[]): number[] {
  const all = new Array<number>(buckets.count).fill(0);
  for (const { atMs, count } of counts) {
    const place = (atMs - buckets.fromMs) / BUCKET_MS[buckets.granularity];
    if (all[place] !== undefined) all[place] += count;
  }
  return all;
}

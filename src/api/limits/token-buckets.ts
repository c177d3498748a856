/** State of a bucket after it was asked for a request. */
export interface Taken {
  allowed: boolean;
  /** Requests that are left at once. */
  left: number;
  /** Until the next request is allowed; 0 where it is now. */
  waitMs: number;
  /** Until the bucket is full again. */
  fullInMs: number;
}

/**
 * Buckets that are remembered; beyond that, those that have filled up again are forgotten, for they are as good as new.
 */
const REMEMBERED = 10_000;

/** Buckets by key: each holds `burst` requests at most and fills at `requests` in `windowSeconds`. */
export function createTokenBuckets(
  { requests, windowSeconds, burst }: { requests: number; windowSeconds: number; burst: number },
  now: () => number = () => performance.now(),
): (key: string) => Taken {
  const perMs = requests / (windowSeconds * 1_000);
  // In the order in which they were last used.
  const buckets = new Map<string, { tokens: number; at: number }>();
  const heldBy = (bucket: { tokens: number; at: number }) =>
    Math.min(burst, bucket.tokens + (now() - bucket.at) * perMs);

  return (key) => {
    const bucket = buckets.get(key);
    const held = bucket ? heldBy(bucket) : burst;
    const allowed = held >= 1;
    const tokens = allowed ? held - 1 : held;
    buckets.delete(key);
    buckets.set(key, { tokens, at: now() });
    if (buckets.size > REMEMBERED) forgetFull();
    return {
      allowed,
      left: Math.floor(tokens),
      waitMs: Math.max(0, (1 - tokens) / perMs),
      fullInMs: (burst - tokens) / perMs,
    };
  };

  function forgetFull(): void {
    for (const [key, bucket] of buckets) {
      if (heldBy(bucket) < burst) return;
      buckets.delete(key);
    }
  }
}

import type { SurfaceName } from '../../domain/tenancy/surface-name.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { takeFromBucket } from '../../store/tenancy/rate-buckets.ts';
import { type Problem, problem } from '../problems/problem.ts';
import { createLeasedBuckets } from './leased-buckets.ts';

/** How many requests a tenant may make at a surface in a window, to all processes together. */
export interface RateLimit {
  requests: number;
  windowSeconds: number;
  /**
   * The most at once: the size of a bucket that fills at `requests` in a window. As many as `requests` where left out.
   */
  burst?: number;
}

/**
 * Enough for some 2,000 single events a second; bulk belongs into arrays. It is a guard against a client that runs
 * wild, not a quota.
 */
export const DEFAULT_RATE_LIMIT: RateLimit = { requests: 20_000, windowSeconds: 10 };

/** The headers of the answer (RateLimit header fields for HTTP, draft-8), and the refusal of the request, if any. */
export interface RateDecision {
  headers: Record<string, string>;
  refusal?: Problem;
}

/** Counts a request by its key: a tenant, or an actor of the installation. */
export type RateLimiter = (key: string) => Promise<RateDecision>;

/** Counts requests at a surface by key, for all processes together. */
export function createRateLimiter(
  { pool }: { pool: Queryable },
  surface: SurfaceName,
  { requests, windowSeconds, burst = requests }: RateLimit,
): RateLimiter {
  const take = createLeasedBuckets({ requests, windowSeconds, burst }, (holder, wanted) =>
    takeFromBucket(pool, { surface, holder, burst, perSecond: requests / windowSeconds }, wanted),
  );
  const policy = `"default";q=${requests};w=${windowSeconds}`;
  return async (key) => {
    const { allowed, left, waitMs, fullInMs } = await take(key);
    const headers = {
      'ratelimit-policy': policy,
      ratelimit: `"default";r=${left};t=${Math.ceil(fullInMs / 1_000)}`,
    };
    if (allowed) return { headers };
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    return { headers, refusal: problem('rate_limited', { headers: { 'retry-after': String(seconds) } }) };
  };
}

import { type Problem, problem } from '../problems/problem.ts';
import { createTokenBuckets } from './token-buckets.ts';

/** How many requests a tenant may make to this process in a window. */
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
 * wild, not a quota, which is why each process counts for itself.
 */
export const DEFAULT_RATE_LIMIT: RateLimit = { requests: 20_000, windowSeconds: 10 };

/** The headers of the answer (RateLimit header fields for HTTP, draft-8), and the refusal of the request, if any. */
export interface RateDecision {
  headers: Record<string, string>;
  refusal?: Problem;
}

/** Counts a request by its key, in this process. */
export type RateLimiter = (key: string) => RateDecision;

/** Counts requests by key, in this process. */
export function createRateLimiter({ requests, windowSeconds, burst = requests }: RateLimit): RateLimiter {
  const take = createTokenBuckets({ requests, windowSeconds, burst });
  const policy = `"default";q=${requests};w=${windowSeconds}`;
  return (key) => {
    const { allowed, left, waitMs, fullInMs } = take(key);
    const headers = {
      'ratelimit-policy': policy,
      ratelimit: `"default";r=${left};t=${Math.ceil(fullInMs / 1_000)}`,
    };
    if (allowed) return { headers };
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
    return { headers, refusal: problem('rate_limited', { headers: { 'retry-after': String(seconds) } }) };
  };
}

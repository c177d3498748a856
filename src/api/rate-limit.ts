import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type Problem, problem } from './problem.ts';
import { createTokenBuckets } from './token-buckets.ts';

/** How many requests a tenant may make to this process in a window. */
export interface RateLimit {
  requests: number;
  windowSeconds: number;
  /** The most at once: a bucket of so many that fills at `requests` in a window. Without it, windows that begin anew. */
  burst?: number;
}

/**
 * Enough for some 2,000 single events a second; bulk belongs into arrays. It is a guard against a client that runs
 * wild, not a quota, which is why each process counts for itself.
 */
export const DEFAULT_RATE_LIMIT: RateLimit = { requests: 20_000, windowSeconds: 10 };

/** What the answer must say (RateLimit header fields for HTTP, draft-8), and whether the request is refused. */
export interface RateDecision {
  headers: Record<string, string>;
  refusal?: Problem;
}

/** Counts requests by key, in this process. */
export function createRateLimiter(limit: RateLimit): (key: string) => Promise<RateDecision> {
  return limit.burst === undefined
    ? createWindowLimiter(limit)
    : createBucketLimiter({ ...limit, burst: limit.burst });
}

function createWindowLimiter(limit: RateLimit): (key: string) => Promise<RateDecision> {
  const limiter = new RateLimiterMemory({ points: limit.requests, duration: limit.windowSeconds });
  const policy = `"default";q=${limit.requests};w=${limit.windowSeconds}`;
  return async (key) => {
    const { used, refused } = await limiter.consume(key).then(
      (used) => ({ used, refused: false }),
      (reason: unknown) => {
        if (reason instanceof RateLimiterRes) return { used: reason, refused: true };
        throw reason;
      },
    );
    const seconds = Math.max(1, Math.ceil(used.msBeforeNext / 1_000));
    const headers = {
      'ratelimit-policy': policy,
      ratelimit: `"default";r=${used.remainingPoints};t=${seconds}`,
    };
    if (!refused) return { headers };
    return { headers, refusal: problem('rate_limited', { headers: { 'retry-after': String(seconds) } }) };
  };
}

function createBucketLimiter(limit: RateLimit & { burst: number }): (key: string) => Promise<RateDecision> {
  const take = createTokenBuckets(limit);
  const policy = `"default";q=${limit.requests};w=${limit.windowSeconds}`;
  return async (key) => {
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

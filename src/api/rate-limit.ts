import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { type Problem, problem } from './problem.ts';

/** How many requests a tenant may make to this process in a window. */
export interface RateLimit {
  requests: number;
  windowSeconds: number;
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

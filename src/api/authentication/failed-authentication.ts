import { setTimeout as delay } from 'node:timers/promises';
import type { RateLimit } from '../limits/rate-limit.ts';
import { createTokenBuckets } from '../limits/token-buckets.ts';
import { type Problem, problem } from '../problems/problem.ts';

/** Failures that an address may have at once, and then per second; a client that is set up wrongly stays far below. */
export const FAILED_AUTHENTICATION_LIMIT: RateLimit & { burst: number } = {
  requests: 20,
  windowSeconds: 1,
  burst: 100,
};

/** Failures of one address that may wait for their turn; the next one is refused. */
const MAX_WAITING = 20;

/** Holds a failure back until its address may have one more; a problem where too many wait already. */
export type FailureLimit = (address: string) => Promise<Problem | undefined>;

/**
 * Limits requests that fail authentication, by the address they come from. It is asked once a request has failed:
 * a credential that is valid never meets it, even from an address that others share.
 */
export function limitFailures(limit = FAILED_AUTHENTICATION_LIMIT): FailureLimit {
  const take = createTokenBuckets(limit);
  const waiting = new Map<string, number>();

  return async (address) => {
    let taken = take(address);
    if (taken.allowed) return undefined;
    const before = waiting.get(address) ?? 0;
    if (before >= MAX_WAITING)
      return problem('rate_limited', {
        detail:
          'Too many requests from this address failed authentication: wait, and correct the credential.',
        headers: { 'retry-after': String(Math.max(1, Math.ceil((taken.waitMs * before) / 1_000))) },
      });
    waiting.set(address, before + 1);
    try {
      while (!taken.allowed) {
        await delay(Math.ceil(taken.waitMs));
        taken = take(address);
      }
      return undefined;
    } finally {
      const left = (waiting.get(address) ?? 1) - 1;
      if (left === 0) waiting.delete(address);
      else waiting.set(address, left);
    }
  };
}

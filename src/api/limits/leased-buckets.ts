import type { Taken } from './token-buckets.ts';

/** Takes up to `wanted` tokens of a key out of the bucket that all processes share. */
export type TakeShared = (key: string, wanted: number) => Promise<{ granted: number; left: number }>;

/** A hundredth of what may be made in a window is taken at a time, and kept for as long as the window at most. */
const SHARE = 100;
/** A process that found a bucket empty asks again after this at the earliest: refusals must not cost a statement each. */
const ASK_AGAIN_MS = 20;
/** Keys of which a process remembers what it has taken; of those used longest ago that is lost. */
const REMEMBERED = 10_000;

interface Lease {
  tokens: number;
  endsAt: number;
  /** Left in the shared bucket when it was last asked. */
  shared: number;
  /** There is nothing until then. */
  emptyUntil: number;
  waiting: number;
  asking?: Promise<void>;
}

/**
 * Buckets by key that several processes share. A process takes tokens in advance where there are many, so that most
 * requests cost no statement, and one by one where there are few. What it has taken is gone from the bucket: the limit
 * is never exceeded by what several take, and within one window by no more than they had taken before it, a hundredth
 * each.
 */
export function createLeasedBuckets(
  { requests, windowSeconds, burst }: { requests: number; windowSeconds: number; burst: number },
  takeShared: TakeShared,
  now: () => number = () => performance.now(),
): (key: string) => Promise<Taken> {
  const perMs = requests / (windowSeconds * 1_000);
  const share = Math.max(1, Math.floor(requests / SHARE));
  // In the order in which they were last used.
  const leases = new Map<string, Lease>();

  function leaseOf(key: string): Lease {
    const lease = leases.get(key) ?? { tokens: 0, endsAt: 0, shared: burst, emptyUntil: 0, waiting: 0 };
    leases.delete(key);
    leases.set(key, lease);
    const [oldest] = leases;
    if (leases.size > REMEMBERED && oldest?.[1].waiting === 0) leases.delete(oldest[0]);
    return lease;
  }

  /** One question at a time, for all that wait by then. */
  async function ask(key: string, lease: Lease): Promise<void> {
    const wanted = Math.max(share, lease.waiting);
    const { granted, left } = await takeShared(key, wanted);
    lease.tokens = granted;
    lease.endsAt = now() + windowSeconds * 1_000;
    lease.shared = left;
    if (granted < wanted) lease.emptyUntil = now() + Math.max((1 - left) / perMs, ASK_AGAIN_MS);
  }

  function state(lease: Lease, allowed: boolean): Taken {
    const left = lease.shared + lease.tokens;
    return {
      allowed,
      left: Math.floor(left),
      waitMs: allowed ? 0 : Math.max(0, lease.emptyUntil - now()),
      fullInMs: Math.max(0, (burst - left) / perMs),
    };
  }

  return async (key) => {
    const lease = leaseOf(key);
    lease.waiting += 1;
    try {
      for (;;) {
        if (lease.tokens > 0 && now() < lease.endsAt) {
          lease.tokens -= 1;
          return state(lease, true);
        }
        if (now() < lease.emptyUntil) return state(lease, false);
        lease.asking ??= ask(key, lease).finally(() => {
          delete lease.asking;
        });
        await lease.asking;
      }
    } finally {
      lease.waiting -= 1;
    }
  };
}

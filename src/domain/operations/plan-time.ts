import { LIVE_HEADROOM } from '../sending/pacing.ts';

/** How fast an endpoint of a plan can be sent to. */
export interface EndpointPace {
  /** Deliveries that would be sent. */
  sends: number;
  ratePerSecond?: number;
  /** Requests at a time: its own limit, or the window that it bears at present. */
  concurrency?: number;
  /** How long it took to answer lately, in the middle. */
  latencyMs?: number;
  /** How long an attempt may take. */
  timeoutMs: number;
}

/** A range of seconds; without an end where nothing that is known limits it. */
export interface TimeToFinish {
  minSeconds: number;
  maxSeconds?: number;
}

/** The limits of an operation over all endpoints. */
export interface OperationPace {
  ratePerSecond?: number;
  maxConcurrency?: number;
}

/**
 * Estimates how long a plan takes, by endpoint and in total: by the slowest of its share of the operation's rate, its own
 * rate, and its concurrency over the time that an answer takes. At best live traffic leaves all of that and answers come as
 * lately; at worst live traffic takes its headroom, and each answer takes as long as it may.
 */
export function timeToFinish(
  endpoints: readonly EndpointPace[],
  { ratePerSecond, maxConcurrency }: OperationPace,
): { total: TimeToFinish; each: TimeToFinish[] } {
  const all = endpoints.reduce((sum, { sends }) => sum + sends, 0);
  const share = (sends: number, of: number | undefined) =>
    of === undefined || all === 0 ? undefined : (of * sends) / all;
  const each = endpoints.map((endpoint) => {
    const { sends, latencyMs, timeoutMs } = endpoint;
    if (sends === 0) return { minSeconds: 0, maxSeconds: 0 };
    const own = share(sends, ratePerSecond);
    const atATime = least(endpoint.concurrency, share(sends, maxConcurrency));
    const best = least(own, endpoint.ratePerSecond, perSecond(atATime, latencyMs));
    const left = 1 - LIVE_HEADROOM;
    const worst = least(
      own,
      times(endpoint.ratePerSecond, left),
      perSecond(least(times(endpoint.concurrency, left), share(sends, maxConcurrency)), timeoutMs),
    );
    return {
      minSeconds: best === undefined ? 0 : Math.ceil(sends / best),
      ...(worst === undefined ? {} : { maxSeconds: Math.ceil(sends / worst) }),
    };
  });
  const ends = each.map(({ maxSeconds }) => maxSeconds);
  return {
    each,
    total: {
      minSeconds: Math.max(0, ...each.map(({ minSeconds }) => minSeconds)),
      ...(ends.every((end) => end !== undefined) ? { maxSeconds: Math.max(0, ...ends) } : {}),
    },
  };
}

function perSecond(atATime: number | undefined, ms: number | undefined): number | undefined {
  return atATime === undefined || ms === undefined || ms <= 0 ? undefined : (atATime * 1_000) / ms;
}

function times(limit: number | undefined, part: number): number | undefined {
  return limit === undefined ? undefined : limit * part;
}

function least(...limits: (number | undefined)[]): number | undefined {
  const known = limits.filter((limit) => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

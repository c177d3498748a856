import { LIVE_HEADROOM, RECORDED_EVERY_MS } from '../sending/pacing.ts';
import { common, endsAt, type Span, united } from '../time/spans.ts';
import { type OperationRate, quickest, slowest } from './rate-time.ts';
import { inSlots, type Slots, slotsNow } from './slot-time.ts';
import { CANARY_WAITS_MS } from './watch.ts';

/** How fast an endpoint of a plan can be sent to. */
export interface EndpointPace extends Slots {
  /** Deliveries that would be sent. */
  sends: number;
  ratePerSecond?: number;
  /** How long its quickest newest answers took. */
  latencyMs?: number;
  /** How long an attempt may take. */
  timeoutMs: number;
  /** Events of one key go there in their order. */
  ordered?: boolean;
  /** When nothing of the plan is sent there, as far as it is known; in milliseconds from now, in any order. */
  rests?: readonly Span[];
}

/** A range of seconds; without an end where nothing that is known limits it. */
export interface TimeToFinish {
  minSeconds: number;
  maxSeconds?: number;
}

/** The limits of an operation over all endpoints. */
export interface OperationPace extends OperationRate {
  maxConcurrency?: number;
  /** A few items of each endpoint go first. */
  canary?: boolean;
}

/**
 * The sooner of the times after which a slot is free behind its answer: outcomes of many slots are written in turns of
 * which they miss a half, or less where they are many.
 */
const HELD_AT_LEAST_MS = RECORDED_EVERY_MS / 4;
/** The later of them, on a busy machine. */
const HELD_AT_MOST_MS = RECORDED_EVERY_MS * 5;
/** A ramp and a canary are judged at a claim, four times a second. */
const JUDGED_LATE_SECONDS = 1;
/**
 * Redrive's own work at worst, on a busy machine: to start and to close, for each delivery, and a tenth of every pace that
 * it misses because it wakes late.
 */
const OWN_SECONDS = 5;
const OWN_SECONDS_EACH = 0.000_5;
const OWN_SHARE = 0.1;

/**
 * Estimates how long a plan takes from now on, by endpoint and in total, if no attempt fails. At best answers come as
 * quickly as lately, nothing but its limits holds it, and an endpoint is served first; at worst live traffic takes its
 * headroom, each answer takes as long as it may, an endpoint has to share the pace of the operation, and Redrive is slow.
 */
export function timeToFinish(
  endpoints: readonly EndpointPace[],
  operation: OperationPace,
): { total: TimeToFinish; each: TimeToFinish[] } {
  const sent = endpoints.filter(({ sends }) => sends > 0);
  const all = best(sent, operation);
  const longest = worst(sent, operation);
  const each = endpoints.map((endpoint) => {
    if (endpoint.sends === 0) return { minSeconds: 0, maxSeconds: 0 };
    const rests = united(endpoint.rests ?? []);
    const own = ownWorst(endpoint, operation);
    return range(
      through(Math.max(ownBest(endpoint), best([endpoint], operation)), rests.filter(isKnown)),
      longest === undefined && own === undefined
        ? undefined
        : through(withOwnWork(Math.max(longest ?? 0, own ?? 0), sent), rests),
    );
  });
  const ends = each.map(({ maxSeconds }) => maxSeconds);
  const resting = common(sent.map(({ rests = [] }) => united(rests).filter(isKnown)));
  return {
    each,
    total: range(
      Math.max(through(all, resting), ...each.map(({ minSeconds }) => minSeconds)),
      ends.every((end) => end !== undefined) ? Math.max(0, ...ends) : undefined,
    ),
  };
}

/** The time of an endpoint by its own limits, at best. The first send waits for nothing. */
function ownBest({ sends, ratePerSecond, ...endpoint }: EndpointPace): number {
  const byRate = ratePerSecond === undefined ? 0 : (sends - 1) / ratePerSecond;
  return Math.max(byRate, (inSlots(sends, endpoint, quickestHoldMs(endpoint)) ?? 0) / 1_000);
}

/** The same at worst; undefined where it has none. */
function ownWorst(
  { sends, ratePerSecond, timeoutMs, ordered = false, ...slots }: EndpointPace,
  { canary = false }: OperationPace,
): number | undefined {
  const atATime = slotsNow(slots, ordered);
  const byRate = ratePerSecond === undefined ? undefined : sends / (ratePerSecond * (1 - LIVE_HEADROOM));
  const bySlots =
    atATime === undefined ? undefined : (sends * (timeoutMs + HELD_AT_MOST_MS)) / 1_000 / atATime;
  if (byRate === undefined && bySlots === undefined) return undefined;
  return Math.max(byRate ?? 0, bySlots ?? 0) + (canary ? judgedAfter(timeoutMs) : 0);
}

/** How long the operation's own limits hold all sends to some endpoints, at best. */
function best(endpoints: readonly EndpointPace[], { maxConcurrency, ...rate }: OperationPace): number {
  const heldMs = endpoints.reduce((sum, endpoint) => sum + endpoint.sends * quickestHoldMs(endpoint), 0);
  return Math.max(
    quickest(Math.max(0, sumOf(endpoints) - 1), rate).seconds,
    maxConcurrency === undefined ? 0 : heldMs / 1_000 / maxConcurrency,
  );
}

/** The same at worst; undefined where nothing that is known limits them. */
function worst(
  endpoints: readonly EndpointPace[],
  { maxConcurrency, canary = false, ...rate }: OperationPace,
): number | undefined {
  const longestMs = Math.max(0, ...endpoints.map(({ timeoutMs }) => timeoutMs));
  const byRate = slowest(sumOf(endpoints), rate, {
    answersAfterSeconds: longestMs / 1_000,
    lateSeconds: JUDGED_LATE_SECONDS,
  });
  const heldMs = endpoints.reduce(
    (sum, { sends, timeoutMs }) => sum + sends * (timeoutMs + HELD_AT_MOST_MS),
    0,
  );
  if (byRate.free && maxConcurrency === undefined) return undefined;
  return (
    Math.max(byRate.seconds, maxConcurrency === undefined ? 0 : heldMs / 1_000 / maxConcurrency) +
    (canary ? judgedAfter(longestMs) : 0)
  );
}

/** How long a request holds a slot at best. Its time limit may be less by now than its answers took. */
function quickestHoldMs({ latencyMs = 0, timeoutMs }: Pick<EndpointPace, 'latencyMs' | 'timeoutMs'>): number {
  return Math.min(latencyMs, timeoutMs) + HELD_AT_LEAST_MS;
}

/** Until a canary is judged whose answers take as long as they may. */
function judgedAfter(timeoutMs: number): number {
  return Math.min(CANARY_WAITS_MS, timeoutMs) / 1_000 + JUDGED_LATE_SECONDS;
}

function withOwnWork(seconds: number, endpoints: readonly EndpointPace[]): number {
  return seconds * (1 + OWN_SHARE) + OWN_SECONDS + sumOf(endpoints) * OWN_SECONDS_EACH;
}

function sumOf(endpoints: readonly EndpointPace[]): number {
  return endpoints.reduce((sum, { sends }) => sum + sends, 0);
}

/** Whether it is known when a rest ends. */
function isKnown({ toMs }: Span): boolean {
  return Number.isFinite(toMs);
}

/** The seconds until something is over that goes on outside of these rests. */
function through(seconds: number, rests: readonly Span[]): number {
  return endsAt(seconds * 1_000, rests) / 1_000;
}

/** The first and the last second; without the last where it never comes. */
function range(seconds: number, upTo: number | undefined): TimeToFinish {
  const minSeconds = Math.floor(seconds);
  return upTo === undefined || !Number.isFinite(upTo)
    ? { minSeconds }
    : { minSeconds, maxSeconds: Math.ceil(upTo) };
}

import type { Id } from '../tenancy/typed-id.ts';
/** A few items of each endpoint go first; the others follow where these do well. */
export interface Canary {
  /** Items of each endpoint. */
  count: number;
  /** More bad first attempts than this, and the endpoint's other items are held. */
  maxFailurePercent: number;
}

/** A rate that doubles while first attempts do well. */
export interface Ramp {
  startPerSecond: number;
  everySeconds: number;
}

/** The options by which an operation is watched. */
export interface WatchOptions {
  canary?: Canary;
  ramp?: Ramp;
  /** More bad attempts of the last minute than this, from 50 on, and it is halted. */
  haltAtFailurePercent?: number;
}

/** Attempts in all, and those that did not deliver: ambiguous ones and those that never got through are among them. */
export interface Tally {
  attempts: number;
  bad: number;
}

/** Why an operation was halted, with the evidence. Ids are uuids. */
export type Halt =
  /** A step of it failed, and not because something was away: tried again it would fail again. */
  | { reason: 'failed_step'; step: string; code: string }
  | { reason: 'failure_rate'; limitPercent: number; attempts: number; bad: number }
  | { reason: 'canary'; limitPercent: number; endpoints: ({ endpointId: Id<'endpoint'> } & Tally)[] };

/** Whether options ask for an operation to be watched. */
export function isWatched({ canary, ramp, haltAtFailurePercent }: WatchOptions): boolean {
  return canary !== undefined || ramp !== undefined || haltAtFailurePercent !== undefined;
}

/** From so many attempts on a share of failures means something. */
const ENOUGH_ATTEMPTS = 50;
/** A canary whose attempts have not all come back by then is judged as it stands: each that is out counts as bad. */
export const CANARY_WAITS_MS = 60_000;
/** The share of failures that a ramp bears where no other is asked for. */
const RAMP_BEARS_PERCENT = 10;
/** A ramp without a rate to reach ends here, and limits nothing any more. */
const FREE_RATE = 10_000;

/** The results of a canary at one endpoint since its first item was claimed. */
export interface CanaryFacts extends Tally {
  allowed: number;
  claimed: number;
  /** Items of the endpoint that could be claimed and have no attempt of its time. */
  unclaimed: number;
  ageMs: number;
}

/** Whether a canary goes on, and how it ended. A claimed item without an attempt is bad once its time is over. */
export function judgeCanary(
  facts: CanaryFacts,
  { maxFailurePercent }: Canary,
): 'testing' | 'passed' | 'held' {
  // Nothing of it was sent: nobody knows how its endpoint does.
  if (facts.claimed === 0 && facts.unclaimed > 0) return 'testing';
  const out = facts.claimed >= facts.allowed || facts.unclaimed === 0;
  const late = facts.ageMs >= CANARY_WAITS_MS;
  if (!late && !(out && facts.attempts >= facts.claimed)) return 'testing';
  const bad = facts.bad + (late ? facts.claimed - facts.attempts : 0);
  return exceeds({ attempts: Math.max(1, facts.claimed), bad }, maxFailurePercent) ? 'held' : 'passed';
}

/** Whether so many of the last minute's attempts are bad that an operation is halted. */
export function failsTooMuch(lastMinute: Tally, limitPercent: number): boolean {
  return lastMinute.attempts >= ENOUGH_ATTEMPTS && exceeds(lastMinute, limitPercent);
}

/** The rate after a span of a ramp: doubled where its first attempts did well; null limits nothing any more. */
export function rampedRate(
  ratePerSecond: number,
  span: Tally,
  options: WatchOptions & { ratePerSecond?: number },
): number | null {
  const limit = options.haltAtFailurePercent ?? options.canary?.maxFailurePercent ?? RAMP_BEARS_PERCENT;
  if (span.attempts === 0 || exceeds(span, limit)) return ratePerSecond;
  return doubled(ratePerSecond, options.ratePerSecond);
}

/** The rate of a ramp behind a span that did well. */
export function doubled(ratePerSecond: number, upTo?: number): number | null {
  const next = ratePerSecond * 2;
  if (upTo !== undefined) return Math.min(upTo, next);
  return next >= FREE_RATE ? null : next;
}

function exceeds({ attempts, bad }: Tally, percent: number): boolean {
  return bad * 100 > percent * attempts;
}

import type { Classification } from '../sending/classification.ts';
import { WAY_OUT_FAULT } from '../sending/fault-code.ts';
import type { OutageRules } from './outage-rules.ts';

/** The results of some attempts at one endpoint, in the order in which they ended. */
export interface ToldAttempts {
  delivered: number;
  missed: number;
  /** Those that were missed behind the last one that was delivered. */
  trailing: number;
  /** How long ago the first of these began. */
  trailingForMs: number;
}

/** Attempts in a row that were not delivered, and how long ago the first of them began. */
export interface MissedRun {
  missed: number;
  forMs: number;
}

/** The attempts of a time in which almost all were delivered; it begins with one that was. */
export interface GoodSpell {
  good: number;
  bad: number;
  forMs: number;
}

/** No attempts. */
export const NOTHING_TOLD: Readonly<ToldAttempts> = {
  delivered: 0,
  missed: 0,
  trailing: 0,
  trailingForMs: 0,
};

/**
 * Whether an attempt shows that its endpoint works. A 2xx that settles nothing yet, because its receiver acknowledges
 * later, does; undefined for one that was never made, or that our own proxy kept from being made.
 */
export function isGood({
  outcome,
  faultCode,
  httpStatus,
}: Pick<Classification, 'outcome' | 'faultCode' | 'httpStatus'>): boolean | undefined {
  if (outcome === 'released' || faultCode === WAY_OUT_FAULT) return undefined;
  return outcome === 'delivered' || (httpStatus !== undefined && httpStatus >= 200 && httpStatus < 300);
}

/** The attempts with one more, which began `forMs` ago. */
export function withAttempt(told: ToldAttempts, good: boolean, forMs: number): ToldAttempts {
  if (good) return { ...told, delivered: told.delivered + 1, trailing: 0, trailingForMs: 0 };
  return {
    ...told,
    missed: told.missed + 1,
    trailing: told.trailing + 1,
    trailingForMs: Math.max(told.trailingForMs, forMs),
  };
}

/** The run of misses after some more attempts. */
export function runAfter(before: MissedRun, told: ToldAttempts): MissedRun {
  if (told.delivered > 0) return { missed: told.trailing, forMs: told.trailingForMs };
  return { missed: before.missed + told.trailing, forMs: Math.max(before.forMs, told.trailingForMs) };
}

/** The good spell after some more attempts; undefined where too many of it were missed, or none was delivered. */
export function spellAfter(
  before: GoodSpell | undefined,
  told: ToldAttempts,
  { badPercent }: Pick<OutageRules, 'badPercent'>,
): GoodSpell | undefined {
  const good = (before?.good ?? 0) + told.delivered;
  const bad = (before?.bad ?? 0) + told.missed;
  if (good === 0 || bad * 100 >= badPercent * (good + bad)) return undefined;
  return { good, bad, forMs: before?.forMs ?? 0 };
}

/** Whether a run of misses is an outage by itself. */
export function isOutageByItself(
  { missed, forMs }: MissedRun,
  { missedInARow, missedForMs }: Pick<OutageRules, 'missedInARow' | 'missedForMs'>,
): boolean {
  return missed >= missedInARow && forMs >= missedForMs;
}

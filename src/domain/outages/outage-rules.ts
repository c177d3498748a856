import type { Canary, Ramp } from '../operations/watch.ts';

/** When an endpoint counts as down and as back, and what its recovery begins with. */
export interface OutageRules {
  /** So many attempts in a row that were not delivered, */
  missedInARow: number;
  /** over at least so long, are an outage. */
  missedForMs: number;
  /** An endpoint is back when its attempts were delivered for so long, */
  backForMs: number;
  /** and a smaller share of them than this was not. */
  badPercent: number;
  /** Where nothing is due it is back so long after it was enabled: what was accepted before that is written by then. */
  settlesForMs: number;
  /** Where nothing is due one delivery is sent as a trial after so long without an attempt, twice as long each time, */
  triesAfterMs: number;
  /** and at most so long. */
  triesAtMostAfterMs: number;
  /** One that fails again within this time after it was back is the same outage. */
  reopensWithinMs: number;
  /** A longer window is proposed even where it is to be run. */
  runsUpToMs: number;
  /** How often the sweeper looks at one, */
  looksEveryMs: number;
  /** and at one about which only a human does something: its endpoint is disabled, or has been back for an hour. */
  looksRarelyEveryMs: number;
  canary: Canary;
  ramp: Ramp;
  /** How long the deliveries of its plan are tried, where their endpoint says less: a ramp takes its time. */
  triedForMs: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The rules, unless a process is told others. */
export const OUTAGE_RULES: Readonly<OutageRules> = {
  missedInARow: 20,
  missedForMs: MINUTE_MS,
  backForMs: MINUTE_MS,
  badPercent: 10,
  settlesForMs: 2 * SECOND_MS,
  triesAfterMs: MINUTE_MS,
  triesAtMostAfterMs: 15 * MINUTE_MS,
  reopensWithinMs: 24 * HOUR_MS,
  runsUpToMs: 72 * HOUR_MS,
  looksEveryMs: 5 * SECOND_MS,
  looksRarelyEveryMs: MINUTE_MS,
  canary: { count: 25, maxFailurePercent: 10 },
  ramp: { startPerSecond: 10, everySeconds: 15 },
  triedForMs: 24 * HOUR_MS,
};

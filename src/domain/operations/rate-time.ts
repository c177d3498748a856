import { doubled, type Ramp } from './watch.ts';

/** How many a second an operation may send: a rate, or a ramp that may lead to one. */
export interface OperationRate {
  ratePerSecond?: number;
  ramp?: Ramp;
}

/** The time within which a rate lets through a number of sends, and whether it limits nothing any more behind that. */
interface RateTime {
  seconds: number;
  free: boolean;
}

/** How the spans of a ramp pass: how long each takes, and how many of them before the rate doubles first. */
interface Spans {
  everySeconds: number;
  before: number;
}

/** How long a rate takes for so many sends at best: the rate doubles with the end of each span of a ramp. */
export function quickest(sends: number, rate: OperationRate): RateTime {
  return timeOf(sends, rate, { everySeconds: rate.ramp?.everySeconds ?? 0, before: 1 });
}

/**
 * The same at worst, where no first attempt fails: a span in which no answer has come yet doubles nothing, and each is
 * over somewhat later than it should be.
 */
export function slowest(
  sends: number,
  rate: OperationRate,
  { answersAfterSeconds, lateSeconds }: { answersAfterSeconds: number; lateSeconds: number },
): RateTime {
  const everySeconds = rate.ramp?.everySeconds ?? 0;
  return timeOf(sends, rate, {
    everySeconds: everySeconds + lateSeconds,
    before: 1 + Math.ceil(answersAfterSeconds / Math.max(1, everySeconds)),
  });
}

function timeOf(
  sends: number,
  { ratePerSecond, ramp }: OperationRate,
  { everySeconds, before }: Spans,
): RateTime {
  let rate: number | undefined = ramp?.startPerSecond ?? ratePerSecond;
  let left = sends;
  let seconds = 0;
  for (let span = 1; rate !== undefined; span++) {
    const lasts = left / rate;
    if (!ramp || rate === ratePerSecond || lasts <= everySeconds)
      return { seconds: seconds + lasts, free: false };
    seconds += everySeconds;
    left -= rate * everySeconds;
    if (span >= before) rate = doubled(rate, ratePerSecond) ?? undefined;
  }
  return { seconds, free: left > 0 };
}

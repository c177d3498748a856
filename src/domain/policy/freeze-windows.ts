import type { Id } from '../tenancy/typed-id.ts';
import { type Span, united } from '../time/spans.ts';
import { isZone, zoneSegments } from '../time/zone-segments.ts';

/** The days of a week, as a freeze window names them. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** A day of a week. */
export type Weekday = (typeof WEEKDAYS)[number];

/** A time on a clock, as a freeze window names it: `00:00` to `24:00`. */
export const CLOCK_TIME = /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/;

/**
 * Times in which nothing of a bulk operation is claimed: those at which the clocks of `zone` show `from` or later, and
 * not yet `to`, on one of `days`. Where `to` is not after `from` it is on the day after. `endpoints` are those that it
 * is for; all of the tenant where they are left out.
 */
export interface FreezeWindow {
  zone: string;
  days: readonly Weekday[];
  from: string;
  to: string;
  endpoints?: readonly Id<'endpoint'>[];
}

/** The frozen times of one endpoint, or of all those that no window names. */
export interface FrozenTimes {
  endpointId?: Id<'endpoint'>;
  spans: Span[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The first of January 1970 was a Thursday. */
const FIRST_WEEKDAY = 3;

/**
 * The frozen times between two times: of the endpoints that no window names, where a window is for all, and of each
 * that is named, to which the windows for all apply as well. Their spans are in order and do not touch.
 */
export function frozenTimes(windows: readonly FreezeWindow[], fromMs: number, toMs: number): FrozenTimes[] {
  const spansOf = new Map(windows.map((window) => [window, windowSpans(window, fromMs, toMs)]));
  const together = (some: readonly FreezeWindow[]) => united(some.flatMap((each) => spansOf.get(each) ?? []));
  const forAll = windows.filter(({ endpoints }) => endpoints === undefined);
  const named = new Set(windows.flatMap(({ endpoints = [] }) => endpoints));
  return [
    ...(forAll.length === 0 ? [] : [{ spans: together(forAll) }]),
    ...[...named].map((endpointId) => ({
      endpointId,
      spans: together(windows.filter(({ endpoints }) => !endpoints || endpoints.includes(endpointId))),
    })),
  ];
}

/** The spans of one window: between two changes of its clocks they are the same hours of each of its days. */
function windowSpans({ zone, days, from, to }: FreezeWindow, fromMs: number, toMs: number): Span[] {
  const begins = clockMs(from);
  const ends = clockMs(to) > begins ? clockMs(to) : clockMs(to) + DAY_MS;
  const spans: Span[] = [];
  for (const { aheadMs, ...segment } of zoneSegments(zone, fromMs, toMs)) {
    // One that began on the day before may still last.
    const firstDay = Math.floor((segment.fromMs + aheadMs) / DAY_MS) - 1;
    const lastDay = Math.floor((segment.toMs + aheadMs) / DAY_MS);
    for (let day = firstDay; day <= lastDay; day++) {
      if (!days.includes(weekdayOf(day))) continue;
      const span = {
        fromMs: Math.max(segment.fromMs, day * DAY_MS + begins - aheadMs),
        toMs: Math.min(segment.toMs, day * DAY_MS + ends - aheadMs),
      };
      if (span.fromMs < span.toMs) spans.push(span);
    }
  }
  return spans;
}

/** The weekday of a day that is counted from the first of 1970. */
function weekdayOf(day: number): Weekday {
  return WEEKDAYS[(((day + FIRST_WEEKDAY) % 7) + 7) % 7] as Weekday;
}

function clockMs(time: string): number {
  if (!CLOCK_TIME.test(time)) throw new Error('this is no time on a clock');
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * HOUR_MS + minutes * MINUTE_MS;
}

/** What a week has to leave: an hour in which bulk work can go on. */
const LEFT_MS = HOUR_MS;
/** A week, and the hour by which it can be longer where clocks change. */
const WEEK_MS = 7 * DAY_MS + HOUR_MS;
/** Each change of clocks of a year is looked at. */
const LOOKED_AT_MS = 371 * DAY_MS;

/** Why windows are refused: a zone that is none, by the number of its window, or a week that leaves no hour. */
export type FreezeWindowFault =
  | { code: 'unknown_zone'; window: number }
  /** At one endpoint, or at all that no window names. */
  | { code: 'no_hour_left'; at: 'all' | Id<'endpoint'> };

/**
 * The faults of windows; none where they can be kept. All windows of an endpoint together have to leave an hour in each
 * week of the year that follows: where they do not, nobody could say when an operation there ends.
 */
export function freezeWindowFaults(windows: readonly FreezeWindow[], nowMs: number): FreezeWindowFault[] {
  const unknown = windows.flatMap(({ zone }, window) =>
    isZone(zone) ? [] : [{ code: 'unknown_zone' as const, window }],
  );
  if (unknown.length > 0) return unknown;
  const year = { fromMs: nowMs, toMs: nowMs + LOOKED_AT_MS };
  return frozenTimes(windows, year.fromMs, year.toMs)
    .filter(({ spans }) => !leavesAnHour(spans, year))
    .map(({ endpointId }) => ({ code: 'no_hour_left', at: endpointId ?? 'all' }));
}

/** Whether an hour is left in each week of a time. The worst weeks begin, or end, where a frozen span does. */
function leavesAnHour(spans: readonly Span[], { fromMs, toMs }: Span): boolean {
  const frozenBefore = frozenUpTo(spans);
  return [fromMs, ...spans.map((span) => span.fromMs), ...spans.map((span) => span.toMs - WEEK_MS)]
    .filter((beginsMs) => beginsMs >= fromMs && beginsMs + WEEK_MS <= toMs)
    .every((beginsMs) => WEEK_MS - (frozenBefore(beginsMs + WEEK_MS) - frozenBefore(beginsMs)) >= LEFT_MS);
}

/** How much of the time before a time is frozen, found by halving. */
function frozenUpTo(spans: readonly Span[]): (atMs: number) => number {
  const sums = [0];
  for (const { fromMs, toMs } of spans) sums.push((sums.at(-1) ?? 0) + toMs - fromMs);
  return (atMs) => {
    let begun = 0;
    for (let end = spans.length; begun < end; ) {
      const middle = Math.floor((begun + end) / 2);
      if ((spans[middle]?.fromMs ?? atMs) < atMs) begun = middle + 1;
      else end = middle;
    }
    const after = Math.max(0, (spans[begun - 1]?.toMs ?? atMs) - atMs);
    return (sums[begun] ?? 0) - after;
  };
}

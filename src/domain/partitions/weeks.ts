/** A week, by the millisecond in which its Monday begins in UTC. */
export type Week = number;

const DAY_MS = 24 * 3_600_000;
const WEEK_MS = 7 * DAY_MS;
/** The first Monday of Unix time was its fifth day. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** How long a partition has to be there before the first id of its week, and how long it stays after the last. */
export const AHEAD_MS = 5 * WEEK_MS;
export const BEHIND_MS = 2 * WEEK_MS;

/** A partition of a table by week. */
export interface Partition {
  name: string;
  /** The first millisecond of its ids; minus infinity for the one that holds everything before. */
  from: number;
  /** The first millisecond that is not its own. */
  to: number;
  /** Nothing can come in any more. */
  closed: boolean;
  /** It is being detached, by somebody at work or somebody who broke off. */
  leaving: boolean;
}

/** What is to be done about the partitions of one table. */
export interface WeekSteps {
  /** Weeks that have no partition and need one. */
  make: Week[];
  /** Closed ones that are needed again. */
  open: Partition[];
  /** The ones that may go as far as time is concerned; whether they are empty is to be seen. */
  close: Partition[];
  /** Closed ones that are to be detached. */
  detach: Partition[];
  /** The ones whose detaching is to be ended; one that is not closed is somebody else's. */
  finalise: Partition[];
}

/** The week that a moment is in. */
export function weekOf(atMs: number): Week {
  return Math.floor((atMs - FIRST_MONDAY_MS) / WEEK_MS) * WEEK_MS + FIRST_MONDAY_MS;
}

/** Whether a number is a week at all. */
export function isWeek(week: number): week is Week {
  return Number.isSafeInteger(week) && week >= 0 && weekOf(week) === week;
}

/** Whether a week is ahead of the ones for which partitions are made unasked. */
export function isAhead(week: Week, nowMs: number): boolean {
  return week > weekOf(nowMs + AHEAD_MS);
}

/** The first moment behind a week. */
export function endOf(week: Week): number {
  return week + WEEK_MS;
}

/** The time that a UUIDv7 carries, in milliseconds. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

/** The least id of a millisecond. */
export function firstIdAt(atMs: number): string {
  const hex = atMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The name of the partition of a week. */
export function nameOfWeek(table: string, week: Week): string {
  return `${table}_${new Date(week).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

/** The week whose partition has this name, open or closed. */
export function weekOfName(name: string): Week | undefined {
  const [, year, month, day] = /_(\d{4})(\d\d)(\d\d)(?:_closed)?$/.exec(name) ?? [];
  return year === undefined ? undefined : Date.UTC(Number(year), Number(month) - 1, Number(day));
}

/**
 * Decides what becomes of the partitions of a table. `asked` are weeks in which a row found no place: what is late is rare,
 * and its week comes back for it. A week ahead of the window is not made for the asking, as an id of a clock that is wrong
 * would make one, but where it is `awaited`: such ids are in the database.
 */
export function decideWeeks(
  partitions: readonly Partition[],
  nowMs: number,
  asked: readonly Week[] = [],
  awaited: readonly Week[] = [],
): WeekSteps {
  const last = weekOf(nowMs + AHEAD_MS);
  const wanted = new Set(asked.filter((week) => week <= last || awaited.includes(week)));
  for (let week = weekOf(nowMs - BEHIND_MS); week <= last; week = endOf(week)) wanted.add(week);
  const isWanted = ({ from, to }: Partition) => [...wanted].some((week) => from < endOf(week) && week < to);
  const staying = partitions.filter(({ leaving }) => !leaving);
  const going = staying.filter((partition) => !isWanted(partition) && partition.to <= nowMs - BEHIND_MS);
  return {
    // The one that leaves is in the way of one with its name, and no longer when that is tried once more.
    make: [...wanted]
      .filter((week) => !partitions.some(({ from, to }) => from < endOf(week) && week < to))
      .sort((a, b) => a - b),
    open: staying.filter((partition) => partition.closed && isWanted(partition)),
    close: going.filter(({ closed }) => !closed),
    detach: going.filter(({ closed }) => closed),
    finalise: partitions.filter(({ leaving, closed }) => leaving && closed),
  };
}

/** How many whole weeks behind the present one have a partition that takes rows, without a gap. */
export function weeksAhead(partitions: readonly Partition[], nowMs: number): number {
  const takes = (week: Week) =>
    partitions.some(({ from, to, closed, leaving }) => !closed && !leaving && from <= week && week < to);
  let ahead = 0;
  // The oldest one may reach to the end of time, where a clock was wrong when it was made.
  for (let week = endOf(weekOf(nowMs)); ahead < 520 && takes(week); week = endOf(week)) ahead += 1;
  return takes(weekOf(nowMs)) ? ahead : 0;
}

/** How long ago the week of the oldest partition ended, in milliseconds. */
export function oldestEndedMs(partitions: readonly Partition[], nowMs: number): number {
  return Math.max(0, nowMs - Math.min(nowMs, ...partitions.map(({ to }) => to)));
}

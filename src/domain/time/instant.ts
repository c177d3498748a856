/** A time that was read, in UTC and in milliseconds, cut off, such as `2026-11-03T02:00:00.000Z`; or why it is none. */
export type ReadInstant =
  | { ok: true; at: string }
  | { ok: false; code: 'wrong_format' | 'out_of_range'; message: string };

/** RFC 3339, in upper or lower case; seconds may be left out, as ISO 8601 allows. */
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?$/i;
/** A plus sign that was not encoded in a query arrives as a space. */
const LOST_PLUS = /\d \d\d:\d\d$/;

const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const MINUTE_MS = 60_000;

/**
 * Reads a time of the years 0001 to 9999 with any offset, and a leap second as the beginning of the next. A time that
 * its offset moves beyond these years is their first or last millisecond: callers who mean "from the beginning" or "for
 * ever" write it so, in their own zone.
 */
export function readInstant(text: string): ReadInstant {
  const parts = TIME.exec(text);
  if (!parts)
    return LOST_PLUS.test(text)
      ? wrong('Write the plus sign of the offset as %2B: in a query it means a space.')
      : wrong('Expected a date and a time with an offset, such as 2026-11-03T02:00:00Z.');
  const [year, month, day, hour, minute, second = 0] = parts.slice(1, 7).map((digits) => Number(digits ?? 0));
  const [fraction = '', offset] = parts.slice(7);
  if (offset === undefined)
    return wrong('The offset is missing: end the time with Z, or with an offset such as +01:00.');
  const offsetMs = offsetMsOf(offset);
  if (offsetMs === undefined) return wrong('Expected an offset between -23:59 and +23:59.');
  if (year === 0)
    return { ok: false, code: 'out_of_range', message: 'Expected a time of the years 0001 to 9999.' };
  const leap = second === 60;
  const local = new Date(0);
  local.setUTCFullYear(year as number, (month as number) - 1, day);
  local.setUTCHours(hour as number, minute, leap ? 59 : second, Number(fraction.slice(0, 3).padEnd(3, '0')));
  const exists =
    local.getUTCMonth() === (month as number) - 1 &&
    local.getUTCDate() === day &&
    local.getUTCHours() === hour &&
    local.getUTCMinutes() === minute &&
    second <= 60;
  const before = local.getTime() - offsetMs;
  if (!exists || (leap && !endsMonth(before))) return wrong('Expected a day and a time of day that exist.');
  const ms = before + (leap ? 1_000 : 0);
  return { ok: true, at: new Date(Math.min(Math.max(ms, FIRST_MS), LAST_MS)).toISOString() };
}

/** Whether the second that begins here is the last of a month, which a leap second can follow. */
function endsMonth(ms: number): boolean {
  const next = new Date(Math.floor(ms / 1_000) * 1_000 + 1_000);
  return next.getUTCDate() === 1 && next.getUTCHours() + next.getUTCMinutes() + next.getUTCSeconds() === 0;
}

function offsetMsOf(offset: string): number | undefined {
  if (offset.toUpperCase() === 'Z') return 0;
  const [hours, minutes] = offset.slice(1).split(':').map(Number) as [number, number];
  if (hours > 23 || minutes > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS;
}

function wrong(message: string): ReadInstant {
  return { ok: false, code: 'wrong_format', message };
}

/** An instant and whether it belongs to the range that it bounds. */
export interface TimeBound {
  at: string;
  inclusive: boolean;
}

/**
 * Where a range begins or ends: the first millisecond that belongs to it, or the first one behind it, as a text that
 * Postgres takes. Rows have microseconds and are shown in milliseconds, cut off, and so are bounds: rows of one
 * millisecond are inside or outside together, and a shown time is equal to the row it came from.
 */
export function millisecondEdge(side: 'start' | 'end', { at, inclusive }: TimeBound): string {
  const read = readInstant(at);
  if (!read.ok) throw new Error('a bound that is no time got past its reader');
  const ms = Date.parse(read.at) + (inclusive === (side === 'end') ? 1 : 0);
  return ms > LAST_MS ? 'infinity' : new Date(ms).toISOString();
}

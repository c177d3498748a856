/** The longest `Retry-After` that is obeyed: a receiver may slow us down, not park us for days. */
export const RETRY_AFTER_CAP_MS = 3_600_000;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Seconds, also as a decimal, or with a unit, for which RFC 9110 has no place. */
const DELAY = /^\+?(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)$/;
const UNITS: readonly (readonly [names: RegExp, ms: number])[] = [
  [/^(s|secs?|seconds?)?$/, 1_000],
  [/^(ms|milliseconds?)$/, 1],
  [/^(m|mins?|minutes?)$/, 60_000],
  [/^(h|hrs?|hours?)$/, 3_600_000],
];

const TIME = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?`;
const ZONE = String.raw`\s*(gmt|utc|ut|z|[+-]\d{2}:?\d{2}|)`;
/** IMF-fixdate and RFC 850, with or without the name of the day. */
const DAY_FIRST = new RegExp(
  String.raw`^(?:[a-z]+\.?,?\s+)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{4}|\d{2})\s+${TIME}${ZONE}$`,
);
const ASCTIME = new RegExp(String.raw`^[a-z]+\s+([a-z]{3})[a-z]*\s+(\d{1,2})\s+${TIME}${ZONE}\s+(\d{4})$`);
const ISO_8601 = new RegExp(String.raw`^(\d{4})-(\d{2})-(\d{2})[t ]${TIME}${ZONE}$`);

/**
 * Milliseconds to wait by a `Retry-After` field, capped at one hour; undefined when the field is absent, malformed,
 * negative or a date that has passed. Besides seconds and the three forms of an HTTP date (RFC 9110 sections 10.2.3 and
 * 5.6.7) it takes the forms that are written in their place: decimals, a unit, any case, one-digit days, other names of
 * UTC, offsets, ISO 8601. A date without a zone is one of UTC.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim().toLowerCase();
  const delay = DELAY.exec(text);
  const waitMs = delay ? delayMs(delay[1], delay[2]) : dateMs(text) - nowMs;
  // A comparison with NaN is false, so a text that is no date falls out here as well.
  return waitMs >= 0 ? Math.min(waitMs, RETRY_AFTER_CAP_MS) : undefined;
}

/** The longest wait that several fields ask for, or one field into which somebody on the way has joined several. */
export function longestRetryAfter(values: readonly string[], nowMs: number): number | undefined {
  const waits = values.flatMap((value) => {
    const whole = parseRetryAfter(value, nowMs);
    if (whole !== undefined) return [whole];
    const parts = value.split(',');
    // A comma stands within a date, too.
    return parts.flatMap((part, n) =>
      [part, `${part},${parts[n + 1] ?? ''}`].flatMap((text) => parseRetryAfter(text, nowMs) ?? []),
    );
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

function delayMs(amount = '', unit = ''): number {
  const unitMs = UNITS.find(([names]) => names.test(unit))?.[1] ?? Number.NaN;
  return Math.ceil(Number(amount) * unitMs);
}

function dateMs(text: string): number {
  const dayFirst = DAY_FIRST.exec(text);
  if (dayFirst) {
    const [, day, month, year, ...time] = dayFirst;
    return instantMs(year, numberOf(month), day, time);
  }
  const asctime = ASCTIME.exec(text);
  if (asctime) {
    const [, month, day, hour, minute, second, zone, year] = asctime;
    return instantMs(year, numberOf(month), day, [hour, minute, second, zone]);
  }
  const iso = ISO_8601.exec(text);
  if (!iso) return Number.NaN;
  const [, year, month, day, ...time] = iso;
  return instantMs(year, Number(month), day, time);
}

/** A month by its English name; 0 is none. */
function numberOf(month = ''): number {
  return MONTHS.indexOf(month) + 1;
}

function instantMs(
  year = '',
  month: number,
  day: string | undefined,
  [hour, minute, second, zone]: readonly (string | undefined)[],
): number {
  const [days, hours, minutes, seconds] = [Number(day), Number(hour), Number(minute), Number(second ?? 0)];
  const real =
    month >= 1 && month <= 12 && days >= 1 && days <= 31 && hours <= 23 && minutes <= 59 && seconds <= 60;
  if (!real) return Number.NaN;
  const [, sign, ahead = 0, minutesAhead = 0] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone ?? '') ?? [];
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(ahead) * 60 + Number(minutesAhead)) * 60_000;
  return Date.UTC(fullYear(year), month - 1, days, hours, minutes, seconds) - offsetMs;
}

/** Two digits are of this century or of the last one (RFC 9110 section 5.6.7). */
function fullYear(year: string): number {
  if (year.length > 2) return Number(year);
  return (Number(year) < 70 ? 2_000 : 1_900) + Number(year);
}

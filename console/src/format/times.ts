/** The zone in which times are shown. */
export type Zone = 'utc' | 'local';

/** Shows a time, in the zone that was chosen. */
export type TimeWords = (at: string) => string;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-CA', {
    hourCycle: 'h23',
    ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
    ...options,
  });
  formats.set(key, made);
  return made;
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
const DAY = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;

/** "2026-11-03 02:00:05": the whole of it, without the zone. */
export function dateAndTime(at: string, zone: Zone): string {
  return format(zone, { ...DAY, ...CLOCK })
    .format(new Date(at))
    .replace(', ', ' ');
}

/** "02:00:05" on the day of `now`, else "2026-11-03 02:00". */
export function shortTime(at: string, zone: Zone, now: Date): string {
  const time = new Date(at);
  const day = format(zone, DAY);
  if (day.format(time) === day.format(now)) return format(zone, CLOCK).format(time);
  return format(zone, { ...DAY, hour: '2-digit', minute: '2-digit' })
    .format(time)
    .replace(', ', ' ');
}

/** A time in the little room of an axis: "02:00" on the day of `now`, else "11-03 02:00"; with its seconds where they tell times apart. */
export function axisTime(at: string, zone: Zone, now: Date, withSeconds = false): string {
  const text = dateAndTime(at, zone).slice(0, withSeconds ? 19 : 16);
  return text.slice(0, 10) === dateAndTime(now.toISOString(), zone).slice(0, 10)
    ? text.slice(11)
    : text.slice(5);
}

/** What is written behind a time, so that nobody has to guess. */
export function zoneName(zone: Zone): string {
  if (zone === 'utc') return 'UTC';
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(new Date());
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'local';
}

/** The value of an input of type `datetime-local` in the zone that is shown. */
export function inputValue(at: string | undefined, zone: Zone): string {
  return at === undefined || Number.isNaN(Date.parse(at))
    ? ''
    : dateAndTime(at, zone).replace(' ', 'T').slice(0, 16);
}

/** The instant that an input of type `datetime-local` names in the zone that is shown. */
export function fromInput(value: string, zone: Zone): string | undefined {
  if (value === '') return undefined;
  const time = new Date(zone === 'utc' ? `${value}Z` : value);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

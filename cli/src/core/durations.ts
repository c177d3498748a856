import { usage } from './stop.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const PARTS = /(\d+(?:\.\d+)?)(ms|[smhdw])/gy;

/** The longest that anything takes: a number behind it is a mistake. */
const LONGEST_MS = 3_660 * 86_400_000;

/** Milliseconds of `90s`, `15m`, `6h`, `1h30m` or `2d`; a number without a unit is refused, and so is nothing. */
export function parseDuration(text: string): number {
  let ms = 0;
  let end = 0;
  for (const match of text.matchAll(PARTS)) {
    const [whole, number = '', unit = ''] = match;
    ms += Number(number) * (UNIT_MS[unit] ?? 0);
    end = match.index + whole.length;
  }
  if (end === 0 || end !== text.length)
    throw usage(`Expected a duration such as 90s, 15m, 6h, 1h30m or 2d, not "${text}".`);
  if (ms > LONGEST_MS) throw usage(`"${text}" is longer than ten years.`);
  return Math.round(ms);
}

const SHOWN = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A length of time in its two largest units: "2 h 5 min". */
export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  const at = SHOWN.findIndex(([, size]) => rounded >= size);
  const [unit, size] = SHOWN[at] ?? SHOWN[3];
  const smaller = SHOWN[at + 1];
  const first = Math.floor(rounded / size);
  const rest = smaller && at >= 0 ? Math.floor((rounded % size) / smaller[1]) : 0;
  return rest > 0 && smaller ? `${first} ${unit} ${rest} ${smaller[0]}` : `${first} ${unit}`;
}

/** A range of seconds, of which the end may not be known. */
export function timeRange({
  minSeconds,
  maxSeconds,
}: {
  minSeconds: number;
  maxSeconds: number | null;
}): string {
  const least = duration(minSeconds);
  if (maxSeconds === null) return `${least} or more`;
  const most = duration(maxSeconds);
  return least === most ? least : `${least} to ${most}`;
}

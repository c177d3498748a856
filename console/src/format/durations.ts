const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** A length of time in its two largest units: "2 h 5 min"; below ten seconds with its milliseconds. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const at = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[at] ?? UNITS[3];
  const smaller = UNITS[at + 1];
  const first = Math.floor(ms / size);
  const rest = smaller ? Math.floor((ms % size) / smaller[1]) : 0;
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
  const least = duration(minSeconds * 1_000);
  if (maxSeconds === null) return `${least} or more`;
  const most = duration(maxSeconds * 1_000);
  return least === most ? least : `${least} to ${most}`;
}

/** Figures of one measurement; groups of them may be nested. */
export interface Figures {
  [name: string]: number | Figures;
}

/** The figures with names such as `cpuUs.workers`. */
export function flat(figures: Figures, prefix = ''): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) =>
      typeof value === 'number' ? [[prefix + name, value]] : Object.entries(flat(value, `${prefix}${name}.`)),
    ),
  );
}

/** The value that a share of all values do not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle of the values, between the two middle ones where their number is even; NaN of none. */
export function median(values: readonly number[]): number {
  return (
    (quantile(values, 0.5) +
      -quantile(
        values.map((value) => -value),
        0.5,
      )) /
    2
  );
}

/** The figures that are reported of latencies. */
export function percentiles(values: readonly number[]): { p50: number; p95: number; p99: number } {
  return { p50: median(values), p95: quantile(values, 0.95), p99: quantile(values, 0.99) };
}

/** A number as it is read by people: three digits that matter, thousands apart. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

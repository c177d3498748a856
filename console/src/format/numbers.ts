const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** A whole number with its thousands apart. */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** A number of which there may be more: "50+". */
export function orMore(value: number, more: boolean): string {
  return `${whole(value)}${more ? '+' : ''}`;
}

/** A share as a percentage; a small one is never shown as none, and a part never as all. */
export function percent(part: number, all: number): string {
  if (all === 0) return '0 %';
  const share = (100 * part) / all;
  if (part > 0 && share < 0.1) return '< 0.1 %';
  if (part < all && share > 99.9) return '> 99.9 %';
  return `${FINE.format(share)} %`;
}

/** Requests per second. */
export function rate(perSecond: number): string {
  return `${FINE.format(perSecond)}/s`;
}

/** A number of bytes, in the unit in which it is read. */
export function bytes(value: number): string {
  if (value < 1_024) return `${WHOLE.format(value)} B`;
  return value < 1_048_576 ? `${FINE.format(value / 1_024)} KiB` : `${FINE.format(value / 1_048_576)} MiB`;
}

/** "1 delivery", "12 deliveries". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

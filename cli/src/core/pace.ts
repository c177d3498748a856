import { parseDuration } from './durations.ts';
import { usage } from './stop.ts';

/** A share in percent: `10%`, or `10`. */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%?$/.exec(text);
  const value = Number(match?.[1] ?? Number.NaN);
  if (!(value >= 0 && value <= 100)) throw usage(`Expected a share such as 10%, not "${text}".`);
  return value;
}

/** A number of requests per second: `50`, `0.5`, or `50/s`. */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(\/s)?$/.exec(text);
  const value = Number(match?.[1] ?? Number.NaN);
  if (!(value > 0)) throw usage(`Expected requests per second such as 50 or 50/s, not "${text}".`);
  return value;
}

/** A whole number above nothing. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw usage(`Expected a whole number such as 25, not "${text}".`);
  return Number(text);
}

/** `25:10%`: so many go first, and at most this share of them may go wrong. */
export function parseCanary(text: string): { count: number; maxFailurePercent: number } {
  const [count, share, more] = text.split(':');
  if (!count || !share || more !== undefined)
    throw usage(`Expected a canary such as 25:10% (25 first, at most 10 % of them bad), not "${text}".`);
  return { count: parseCount(count), maxFailurePercent: parsePercent(share) };
}

/** `5/60s`: begins with 5 a second, and doubles each minute. */
export function parseRamp(text: string): { startPerSecond: number; everySeconds: number } {
  const [start, every, more] = text.split('/');
  if (!start || !every || more !== undefined)
    throw usage(`Expected a ramp such as 5/60s (begins with 5 a second, doubles each 60 s), not "${text}".`);
  const everySeconds = parseDuration(every) / 1_000;
  if (!Number.isInteger(everySeconds) || everySeconds < 1)
    throw usage(`A ramp grows after whole seconds, not after "${every}".`);
  return { startPerSecond: parseRate(start), everySeconds };
}

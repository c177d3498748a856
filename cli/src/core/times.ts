import { parseDuration } from './durations.ts';
import { usage } from './stop.ts';

const DURATION = /^\d+(\.\d+)?(ms|[smhdw])/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * An absolute time, in UTC: of a duration (`6h`: so long ago), or of a time with its zone. One without a zone is refused:
 * it would mean another time on another machine.
 */
export function parseWhen(text: string, now: Date): string {
  if (DURATION.test(text)) return new Date(now.getTime() - parseDuration(text)).toISOString();
  const time = INSTANT.test(text) ? new Date(text) : undefined;
  if (!time || Number.isNaN(time.getTime()))
    throw usage(
      `Expected a time with its zone, such as 2026-11-03T02:00Z, or a duration such as 6h, not "${text}".`,
    );
  return time.toISOString();
}

/** A time ahead: of a duration (`6h`: from now on), or as `parseWhen`. */
export function parseAhead(text: string, now: Date): string {
  return DURATION.test(text)
    ? new Date(now.getTime() + parseDuration(text)).toISOString()
    : parseWhen(text, now);
}

/** "2026-11-03 02:00:05Z": in UTC, without fractions. */
export function shownTime(at: string | null | undefined): string {
  if (at === null || at === undefined) return '–';
  return at.replace('T', ' ').replace(/(\.\d+)?Z$/, 'Z');
}

/** "02:00:05": the time of day in UTC. */
export function clock(at: Date): string {
  return at.toISOString().slice(11, 19);
}

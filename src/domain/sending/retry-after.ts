/** The longest `Retry-After` that is obeyed: a receiver may slow us down, not park us for days. */
export const RETRY_AFTER_CAP_MS = 3_600_000;

/** The three date forms of RFC 9110 section 5.6.7; the last carries no zone and means UTC. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850_DATE = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const ASCTIME_DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/**
 * Milliseconds to wait by a `Retry-After` field (RFC 9110 section 10.2.3: seconds or an HTTP date), capped at one
 * hour; undefined when the field is absent, malformed, negative or a date that has passed.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : httpDateMs(text) - nowMs;
  // A comparison with NaN is false, so what is no date falls out here as well.
  return waitMs >= 0 ? Math.min(waitMs, RETRY_AFTER_CAP_MS) : undefined;
}

function httpDateMs(text: string): number {
  // Date.parse alone takes nearly anything for a date ('-5', 'soon 1'): only the three standard forms get there.
  if (IMF_FIXDATE.test(text) || RFC_850_DATE.test(text)) return Date.parse(text);
  return ASCTIME_DATE.test(text) ? Date.parse(`${text} GMT`) : Number.NaN;
}

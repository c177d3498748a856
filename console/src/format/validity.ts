/** How soon somebody has to replace what runs out. */
export type Validity = 'not_yet' | 'valid' | 'runs_out_soon' | 'ran_out';

/** Time enough to have another certificate made and handed over. */
const SOON_MS = 30 * 86_400_000;

/** The validity of a certificate at this moment. */
export function validityOf(
  { validFrom, validUntil }: { validFrom: string; validUntil: string },
  now: Date,
): Validity {
  const left = Date.parse(validUntil) - now.getTime();
  if (left <= 0) return 'ran_out';
  if (Date.parse(validFrom) > now.getTime()) return 'not_yet';
  return left < SOON_MS ? 'runs_out_soon' : 'valid';
}

import { isOutage } from '../../store/db/outage.ts';
import { type Problem, problem } from './problem.ts';

/** Seconds after which a client may try again while something is away. */
const RETRY_AFTER_SECONDS = 2;

/** Turns an exception into a problem: to come back where something is away, else without a word on its cause. */
export function problemOfException(error: unknown): Problem {
  return isOutage(error)
    ? problem('temporarily_unavailable', { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } })
    : problem('internal');
}

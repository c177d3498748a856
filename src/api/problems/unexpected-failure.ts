import { isConnectionLost, isWithoutConnection } from '../../store/db/pool.ts';
import { isWithoutPartition } from '../../store/partitions/without-partition.ts';
import { type Problem, problem } from './problem.ts';

/** Seconds after which a client may try again while Postgres is away. */
const RETRY_AFTER_SECONDS = 2;

/** Postgres is there but cannot serve now: out of resources, statement timeout, read-only standby, conflicts. */
const UNAVAILABLE_STATES = /^(53...|57014|25006|40001|40P01|55P03)$/;
/** The name of Postgres' host cannot be resolved, or there is no way to it. */
const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ECONNABORTED',
]);

/** Turns an exception into a problem: to come back where Postgres is away, else without a word on its cause. */
export function problemOfException(error: unknown): Problem {
  return isDatabaseAway(error)
    ? problem('temporarily_unavailable', { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } })
    : problem('internal');
}

/** A code of an exception for the log; messages can carry a row and are never logged. */
export function codeOfException(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'unknown';
}

function isDatabaseAway(error: unknown): boolean {
  if (isConnectionLost(error) || isWithoutConnection(error) || isWithoutPartition(error)) return true;
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'string' && (UNAVAILABLE_STATES.test(code) || UNREACHABLE.has(code))) return true;
  // Several addresses of one host were tried: node wraps their errors in one.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isDatabaseAway);
  return false;
}

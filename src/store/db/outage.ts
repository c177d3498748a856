import { isConnectionLost, isStalePlan } from './pool.ts';

/**
 * SQLSTATEs that say that the server cannot do its work now, and nothing about the statement: no connection, not let
 * in, rolled back for others' sake, out of resources, locked or stopped, failing disks, and a primary that has become a
 * standby.
 */
const UNAVAILABLE = /^(08...|25P03|28...|3D000|40...|53...|55006|55P03|57...|58...|25006)$/;

/** Codes of sockets and resolvers for a server that is not there. */
const UNREACHABLE =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_\w+|EMFILE|ENFILE)$/;

/** Messages of the pool, without a code, when it has no connection to give, or gives none any more. */
const NO_CONNECTION =
  /^(timeout exceeded when trying to connect|Query read timeout|Cannot use a pool after calling end|Client was closed)/;

/**
 * Whether an error says that something is away for a while, so that the same again may succeed; everything else, such
 * as a value that Postgres refuses, a constraint or a mistake of ours, fails again however often it is tried.
 */
export function isOutage(error: unknown): boolean {
  if (isConnectionLost(error) || isStalePlan(error)) return true;
  const { code, severity, errors, name, message } = (error ?? {}) as {
    code?: unknown;
    severity?: unknown;
    errors?: unknown;
    name?: unknown;
    message?: unknown;
  };
  // An address with several records fails by several errors at once.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(isOutage);
  // It ends a session or lets none begin, whatever its code: that of a database closed to connections is of other errors, too.
  if (severity === 'FATAL') return true;
  if (typeof code === 'string') return UNAVAILABLE.test(code) || UNREACHABLE.test(code);
  return name === 'AbortError' || (typeof message === 'string' && NO_CONNECTION.test(message));
}

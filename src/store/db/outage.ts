import { isWithoutConnection } from '../../domain/words-of-pg.ts';
import { isWithoutPartition } from '../partitions/without-partition.ts';
import { isConnectionLost, isStalePlan } from './pool.ts';

/**
 * SQLSTATEs that say that the server cannot do its work now, and nothing about the statement: no connection, not let
 * in, rolled back for others' sake, out of resources, locked or stopped, failing disks, and a primary that has become a
 * standby.
 */
const UNAVAILABLE = /^(08...|25P0[34]|28...|3D000|40...|53...|55006|55P03|57...|58...|25006)$/;

/** Codes of sockets and resolvers for a server that is not there. */
const UNREACHABLE =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_\w+|EMFILE|ENFILE)$/;

/** Where Postgres begins a session: whatever it refuses there, it refuses the session and no statement. */
const BEGINS_SESSIONS = 'postinit.c';

/**
 * Whether an error says that something is away for a while, be it the partition of a week, so that the same again may
 * succeed; everything else, such as a value that Postgres refuses, a constraint or a mistake of ours, fails again however
 * often it is tried.
 */
export function isOutage(error: unknown): boolean {
  if (isConnectionLost(error) || isStalePlan(error) || isWithoutPartition(error)) return true;
  const { code, syscall, severity, file, errors, name } = (error ?? {}) as {
    code?: unknown;
    syscall?: unknown;
    severity?: unknown;
    file?: unknown;
    errors?: unknown;
    name?: unknown;
  };
  // An address with several records fails by several errors at once.
  if (Array.isArray(errors) && errors.length > 0) return errors.every(isOutage);
  // A database that is closed to connections has a code of other errors. The severity alone would not do: it is translated,
  // and pg passes on only that; but poolers, which name no file, say it in English.
  if (severity === 'FATAL' || file === BEGINS_SESSIONS) return true;
  // The socket in a folder of a server that is not there; elsewhere it is a file that we miss.
  if (code === 'ENOENT') return syscall === 'connect';
  if (typeof code === 'string') return UNAVAILABLE.test(code) || UNREACHABLE.test(code);
  return name === 'AbortError' || isWithoutConnection(error);
}

/** A row that another one excludes: as a rule the other side of a race. */
export const UNIQUE_VIOLATION = '23505';
/** A lock that was not had within `lock_timeout`, or at once where that was asked for. */
export const LOCK_NOT_AVAILABLE = '55P03';
/** A write in a transaction that only reads, as all do on a standby. */
export const READ_ONLY_TRANSACTION = '25006';
/** A statement that was cancelled, as a rule by `statement_timeout`. */
export const QUERY_CANCELED = '57014';
/** A limit that an operator has set, such as `temp_file_limit`. */
export const LIMIT_EXCEEDED = '53400';
/** A transaction that was given up so that others could go on. */
export const DEADLOCK_DETECTED = '40P01';
/** A transaction that saw what others have changed since. */
export const SERIALIZATION_FAILURE = '40001';

/** The code of an error, of Postgres or of a socket; empty where it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether the server has undone everything, so that running it again is right. */
export function wasUndone(error: unknown): boolean {
  const code = codeOf(error);
  return code === SERIALIZATION_FAILURE || code === DEADLOCK_DETECTED;
}

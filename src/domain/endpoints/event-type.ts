/** Tells of a file that failed; shaped by `failedFileEvent`. */
export const FAILED_FILE_TYPE = 'file.failed.v2';

/** Events that Redrive itself makes; only endpoints that name them exactly get them. */
export const SYSTEM_EVENT_TYPES = [FAILED_FILE_TYPE, 'operation.closed'] as const;

/** Whether Redrive itself makes events of this type: what becomes of those is told to nobody. */
export function isSystemEventType(type: string): boolean {
  return (SYSTEM_EVENT_TYPES as readonly string[]).includes(type);
}

/**
 * Whether an endpoint that names `patterns` wants events of `type`: every one where there are none, otherwise exactly or
 * by a prefix such as `invoice.*`. What Redrive itself makes must be named exactly.
 */
export function matchesType(patterns: readonly string[] | undefined, type: string): boolean {
  if (isSystemEventType(type)) return patterns?.includes(type) ?? false;
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type,
  );
}

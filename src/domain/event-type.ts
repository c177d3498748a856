/** Events that Redrive itself makes; only endpoints that name them exactly get them. */
export const SYSTEM_EVENT_TYPES = ['file.failed.v2', 'operation.closed'] as const;

/**
 * Whether an endpoint that names `patterns` wants events of `type`: every one where there are none, otherwise exactly or
 * by a prefix such as `invoice.*`. What Redrive itself makes must be named exactly.
 */
export function matchesType(patterns: readonly string[] | undefined, type: string): boolean {
  if ((SYSTEM_EVENT_TYPES as readonly string[]).includes(type)) return patterns?.includes(type) ?? false;
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type,
  );
}

/** Tells of a file that failed; shaped by `failedFileEvent`. */
export const FAILED_FILE_TYPE = 'file.failed.v2';

/** Facts of operations and outages that Redrive tells; the index over endpoints that name one lists them, too. */
export const ANNOUNCED_TYPES = [
  'operation.awaiting_approval',
  'operation.approved',
  'operation.rejected',
  'operation.halted',
  'operation.closed',
  'operation.drift_too_large',
  'outage.opened',
  'outage.recovered',
] as const;

/** One of {@link ANNOUNCED_TYPES}. */
export type AnnouncedType = (typeof ANNOUNCED_TYPES)[number];

/** Events that Redrive itself makes; only endpoints that name them exactly get them. */
export const SYSTEM_EVENT_TYPES = [FAILED_FILE_TYPE, ...ANNOUNCED_TYPES] as const;

/** Whether Redrive itself makes events of this type: their outcomes are told to nobody. */
export function isSystemEventType(type: string): boolean {
  return (SYSTEM_EVENT_TYPES as readonly string[]).includes(type);
}

/** Every type, where it stands alone. */
const ALL = '*';
/** The end of a pattern that takes every type of a family, in the place of the last names. */
const ANY_BELOW = '.*';

/** Why no event can be of this type: nobody could choose it; undefined where one can. */
export function typeFault(type: string): string | undefined {
  if (type.trim() !== type) return 'Expected a type without a blank before or behind it.';
  return type.includes('*') ? 'Expected a type without `*`, which stands for any in patterns.' : undefined;
}

/** Why nobody may send an event of this type; undefined where one may. */
export function sentTypeFault(type: string): string | undefined {
  return isSystemEventType(type)
    ? 'Redrive itself makes the events of this type, which its receivers rely on. Choose another type.'
    : typeFault(type);
}

/** Why a pattern can match no event; undefined where it can. */
export function typePatternFault(pattern: string): string | undefined {
  if (pattern === ALL) return undefined;
  const named = pattern.endsWith(ANY_BELOW) ? pattern.slice(0, -ANY_BELOW.length) : pattern;
  return named === '' || typeFault(named) !== undefined
    ? 'No event can match this. Expected a type, a prefix that ends in `.*`, or `*` alone for all.'
    : undefined;
}

/**
 * Whether an endpoint that names `patterns` wants events of `type`: every one where there are none or one is `*`,
 * otherwise exactly or by a prefix such as `invoice.*`. Types that Redrive itself makes must be named exactly.
 */
export function matchesType(patterns: readonly string[] | undefined, type: string): boolean {
  if (isSystemEventType(type)) return patterns?.includes(type) ?? false;
  if (patterns === undefined) return true;
  return patterns.some((pattern) =>
    pattern.endsWith(ANY_BELOW) ? type.startsWith(pattern.slice(0, -1)) : pattern === ALL || pattern === type,
  );
}

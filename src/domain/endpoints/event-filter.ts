/** The operand that one value is compared with. */
export type FilterScalar = string | number | boolean | null;

/** The condition on the value at one path; all members must hold at once. */
export interface FilterCondition {
  $eq?: FilterScalar;
  $ne?: FilterScalar;
  $gt?: string | number;
  $gte?: string | number;
  $lt?: string | number;
  $lte?: string | number;
  $in?: FilterScalar[];
  $nin?: FilterScalar[];
  $exists?: boolean;
}

/** Conditions on an event's payload by path (`data.amount`); all must hold. A bare value stands for `$eq`. */
export type EventFilter = Record<string, FilterScalar | FilterCondition>;

/** A fault of a filter, and its place; the value itself is never repeated. */
export interface FilterFault {
  path: string[];
  code: 'wrong_type' | 'unknown_field' | 'too_long' | 'wrong_format' | 'never_matches';
  message: string;
}

/** How large a filter may be: it is evaluated for every event of the tenant. */
export const FILTER_LIMITS = {
  paths: 32,
  segments: 16,
  pathLength: 256,
  listLength: 100,
  textLength: 1_024,
} as const;

const OPERATORS = ['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists'];
/** Postgres can keep neither a NUL nor half a surrogate pair. */
const UNSTORABLE = /\0|\p{Surrogate}/u;

/** Whether the payload, parsed, satisfies the filter. */
export function matchesFilter(filter: EventFilter, payload: unknown): boolean {
  return Object.entries(filter).every(([path, condition]) =>
    conditionHolds(isObject(condition) ? condition : { $eq: condition }, valueAt(payload, pathNames(path))),
  );
}

/** Everything that is wrong with `filter`; empty where it is an {@link EventFilter} within the limits. */
export function filterFaults(filter: unknown): FilterFault[] {
  if (!isObject(filter))
    return [{ path: [], code: 'wrong_type', message: 'Expected an object of conditions by path.' }];
  const paths = Object.keys(filter);
  if (paths.length > FILTER_LIMITS.paths)
    return [{ path: [], code: 'too_long', message: `At most ${FILTER_LIMITS.paths} paths.` }];
  return paths.flatMap((path) => {
    const fault = pathFault(path);
    return fault ? [fault] : conditionFaults(path, (filter as Record<string, unknown>)[path]);
  });
}

/** Why a path names nothing in a payload; undefined where it can. */
export function pathFault(path: string): FilterFault | undefined {
  if (path.length > FILTER_LIMITS.pathLength)
    return {
      path: [],
      code: 'too_long',
      message: `A path has at most ${FILTER_LIMITS.pathLength} characters.`,
    };
  const segments = pathNames(path);
  if (segments.length > FILTER_LIMITS.segments)
    return {
      path: [path],
      code: 'too_long',
      message: `A path has at most ${FILTER_LIMITS.segments} members.`,
    };
  if (segments.some((segment) => segment === '') || UNSTORABLE.test(path))
    return {
      path: [path],
      code: 'wrong_format',
      message:
        'Expected names joined by dots, such as data.amount; a dot within a name has a backslash before it.',
    };
  return undefined;
}

function conditionFaults(path: string, condition: unknown): FilterFault[] {
  if (!isObject(condition)) return scalarFaults([path], condition);
  const operators = Object.entries(condition);
  if (operators.length === 0)
    return [{ path: [path], code: 'wrong_type', message: 'A condition names at least one operator.' }];
  return operators.flatMap(([operator, operand]) => operandFaults([path, operator], operator, operand));
}

function operandFaults(path: string[], operator: string, operand: unknown): FilterFault[] {
  if (!OPERATORS.includes(operator))
    return [{ path, code: 'unknown_field', message: `Expected one of ${OPERATORS.join(', ')}.` }];
  if (operator === '$exists')
    return typeof operand === 'boolean'
      ? []
      : [{ path, code: 'wrong_type', message: 'Expected true or false.' }];
  if (operator === '$in' || operator === '$nin') {
    if (!Array.isArray(operand))
      return [{ path, code: 'wrong_type', message: 'Expected an array of values.' }];
    if (operand.length > FILTER_LIMITS.listLength)
      return [{ path, code: 'too_long', message: `At most ${FILTER_LIMITS.listLength} values.` }];
    return operand.flatMap((value, index) => scalarFaults([...path, String(index)], value));
  }
  const ordered = operator !== '$eq' && operator !== '$ne';
  if (ordered && typeof operand !== 'number' && typeof operand !== 'string')
    return [{ path, code: 'wrong_type', message: 'Expected a number or a string.' }];
  return scalarFaults(path, operand);
}

function scalarFaults(path: string[], value: unknown): FilterFault[] {
  if (value === null || typeof value === 'boolean') return [];
  if (typeof value === 'number')
    return Number.isFinite(value)
      ? []
      : [{ path, code: 'wrong_format', message: 'The number is too large.' }];
  if (typeof value !== 'string')
    return [{ path, code: 'wrong_type', message: 'Expected a string, a number, true, false or null.' }];
  if (value.length > FILTER_LIMITS.textLength)
    return [
      { path, code: 'too_long', message: `A string has at most ${FILTER_LIMITS.textLength} characters.` },
    ];
  return UNSTORABLE.test(value)
    ? [{ path, code: 'wrong_format', message: 'The string holds a character that cannot be stored.' }]
    : [];
}

/** The names of a path; a dot or a backslash that belongs to a name has a backslash before it. */
export function pathNames(path: string): string[] {
  const segments = [''];
  for (let at = 0; at < path.length; at += 1) {
    const char = path[at] as string;
    if (char === '.') segments.push('');
    else if (char === '\\' && at + 1 < path.length) {
      at += 1;
      segments.push(`${segments.pop()}${path[at]}`);
    } else segments.push(`${segments.pop()}${char}`);
  }
  return segments;
}

/** The value at a path of names joined by dots; undefined where there is none. */
export function valueAtPath(payload: unknown, path: string): unknown {
  return valueAt(payload, pathNames(path));
}

/** Own members only: no path may reach a prototype. Entries of an array are named by their index. */
function valueAt(payload: unknown, segments: string[]): unknown {
  let value = payload;
  for (const segment of segments) {
    if (value === null || typeof value !== 'object') return undefined;
    if (Array.isArray(value) && segment === 'length') return undefined;
    if (!Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value;
}

/** Whether a value, or undefined where there is none, satisfies a condition. */
export function conditionHolds(condition: FilterCondition, value: unknown): boolean {
  return Object.entries(condition).every(([operator, operand]) => {
    switch (operator as keyof FilterCondition) {
      case '$eq':
        return value === operand;
      case '$ne':
        return value !== operand;
      case '$in':
        return (operand as unknown[]).includes(value);
      case '$nin':
        return !(operand as unknown[]).includes(value);
      case '$exists':
        return (value !== undefined) === operand;
      default:
        return compares(operator, value, operand as string | number);
    }
  });
}

/** Values of different types are never ordered; strings by UTF-16 code units, which suits ISO 8601 in UTC. */
function compares(operator: string, value: unknown, operand: string | number): boolean {
  if (typeof value !== typeof operand) return false;
  const left = value as string | number;
  switch (operator) {
    case '$gt':
      return left > operand;
    case '$gte':
      return left >= operand;
    case '$lt':
      return left < operand;
    default:
      return left <= operand;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

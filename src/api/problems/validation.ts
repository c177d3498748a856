import type { z } from 'zod';
import { type FieldError, MAX_ERRORS } from './problem.ts';

/** Where the validated part of the request is. */
export type ValidatedPart = 'body' | 'parameters';

/** Names can be as long as the body; the pointers to them need not be. */
const MAX_POINTER_LENGTH = 200;

/**
 * Turns the issues that zod found in `value` into errors with stable codes that name the member at fault; no value is
 * repeated. There are {@link MAX_ERRORS} at most, however many issues a caller has caused.
 */
export function fieldErrors(error: z.ZodError, value: unknown, part: ValidatedPart): FieldError[] {
  return errorsOf(error.issues, (issue) => fromIssue(issue, value, part, issue.path));
}

/** The errors of the first issues, as many as are shown. */
function errorsOf(issues: readonly Issue[], from: (issue: Issue) => FieldError[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (errors.length >= MAX_ERRORS) break;
    errors.push(...from(issue).slice(0, MAX_ERRORS - errors.length));
  }
  return errors;
}

/** JSON Pointer (RFC 6901) as a URI fragment. */
export function pointerTo(path: readonly PropertyKey[]): string {
  const pointer = path.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return `#${pointer}`.slice(0, MAX_POINTER_LENGTH);
}

type Issue = z.core.$ZodIssue;

function fromIssue(
  issue: Issue,
  value: unknown,
  part: ValidatedPart,
  path: readonly PropertyKey[],
): FieldError[] {
  const at = (where: readonly PropertyKey[], code: string, message: string): FieldError => ({
    ...(part === 'body'
      ? { pointer: pointerTo(where) }
      : { parameter: String(where[0] ?? '').slice(0, MAX_POINTER_LENGTH) }),
    message,
    code,
  });
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .slice(0, MAX_ERRORS)
        .map((key) => at([...path, key], 'unknown_field', 'This member does not exist.'));
    case 'invalid_type':
      return [
        valueAt(value, path) === undefined
          ? at(path, 'required', 'This member is required.')
          : at(path, 'wrong_type', `Expected ${issue.expected}.`),
      ];
    case 'invalid_value':
      return [
        at(
          path,
          'not_allowed',
          `Expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}.`,
        ),
      ];
    case 'too_big':
      return [at(path, tooLarge(issue.origin), `Expected at most ${issue.maximum}${unitOf(issue.origin)}.`)];
    case 'too_small':
      return [
        at(path, tooLittle(issue.origin), `Expected at least ${issue.minimum}${unitOf(issue.origin)}.`),
      ];
    case 'invalid_format':
      return [
        at(
          path,
          'wrong_format',
          issue.format === 'regex' ? messageOf(issue) : `Expected the format ${issue.format}.`,
        ),
      ];
    case 'custom':
      return [at(path, String(issue.params?.code ?? 'wrong_format'), messageOf(issue))];
    case 'invalid_union':
      return fromUnion(issue, value, part, path, at);
    case 'not_multiple_of':
      return [at(path, 'wrong_format', `Expected a multiple of ${issue.divisor}.`)];
    default:
      return [at(path, 'wrong_format', 'This member is not as expected.')];
  }
}

/** Of the forms that were possible, the one that came closest tells most: the one that failed deepest. */
function fromUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  value: unknown,
  part: ValidatedPart,
  path: readonly PropertyKey[],
  at: (where: readonly PropertyKey[], code: string, message: string) => FieldError,
): FieldError[] {
  const isOtherType = (issues: Issue[]) =>
    issues.some(({ code, path: inner }) => code === 'invalid_type' && inner.length === 0);
  const candidates = issue.errors.filter((issues) => issues.length > 0 && !isOtherType(issues));
  const closest = candidates.sort((a, b) => depth(b) - depth(a))[0];
  if (closest === undefined) return [at(path, 'wrong_type', 'This member has another type than expected.')];
  return errorsOf(closest, (inner) => fromIssue(inner, value, part, [...path, ...inner.path]));
}

/** Depth of the deepest issue, also within a union of unions. There can be any number of them, so nothing is spread. */
function depth(issues: readonly Issue[]): number {
  return issues.reduce((deepest, issue) => {
    const within = issue.code === 'invalid_union' ? issue.errors.map(depth) : [];
    return Math.max(deepest, issue.path.length + within.reduce((most, each) => Math.max(most, each), 0));
  }, 0);
}

function messageOf(issue: Issue): string {
  return issue.message.startsWith('Invalid')
    ? 'This member has another format than expected.'
    : issue.message;
}

function tooLarge(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'too_long' : 'out_of_range';
}

function tooLittle(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'too_short' : 'out_of_range';
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[name] : undefined,
    value,
  );
}

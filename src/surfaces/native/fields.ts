import { z } from 'zod';
import { saysSomething } from '../../domain/policy/words.ts';
import { ID_PREFIXES, type IdKind, readId } from '../../domain/tenancy/typed-id.ts';
import { readInstant } from '../../domain/time/instant.ts';

/** Postgres can keep neither a NUL nor half a surrogate pair, and no name needs control characters. */
const UNSTORABLE = /\p{Cc}|\p{Surrogate}/u;

const EXAMPLES: Record<IdKind, string> = Object.fromEntries(
  Object.entries(ID_PREFIXES).map(([kind, prefix]) => [kind, `${prefix}_01k9z3e5hbe7r9qk2m4n6p8r0s`]),
) as Record<IdKind, string>;

/** An id that is read: as a TypeID or as the uuid in it; comes out as the uuid. */
export function idField<Kind extends IdKind>(kind: Kind, description: string) {
  return z
    .string()
    .transform((text, context) => {
      const id = readId(kind, text);
      if (id !== undefined) return id;
      context.addIssue({
        code: 'custom',
        message: `Expected an id such as ${EXAMPLES[kind]}, or its uuid.`,
        params: { code: 'wrong_format' },
      });
      return z.NEVER;
    })
    .meta({ description, example: EXAMPLES[kind] });
}

/** An id that is shown. */
export function shownId(kind: IdKind, description: string) {
  return z
    .string()
    .regex(new RegExp(`^${ID_PREFIXES[kind]}_[0-7][0-9a-hjkmnp-tv-z]{25}$`))
    .meta({ description, example: EXAMPLES[kind] });
}

/** The parameters of a path that ends in one id. */
export function idParams<Kind extends IdKind>(kind: Kind, description: string) {
  return z.strictObject({ id: idField(kind, description) });
}

/** A short text that is kept: no control characters, no unpaired surrogates. */
export function textField(maxLength: number, description: string, example: string) {
  return keptText(maxLength).meta({ description, example });
}

/** The words of somebody on what he does: a short text in which there is something to read. */
export function wordsField(maxLength: number, description: string, example: string) {
  return keptText(maxLength)
    .refine(saysSomething, {
      message: 'Expected words that can be read, and not blanks alone.',
      params: { code: 'wrong_format' },
    })
    .meta({ description, example });
}

function keptText(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine((text) => !UNSTORABLE.test(text), {
      message: 'Expected text without control characters.',
      params: { code: 'wrong_format' },
    });
}

/** An instant that is read: RFC 3339 with any offset; comes out in UTC. */
export function timeField(description: string) {
  return z
    .string()
    .max(64)
    .transform((text, context) => {
      const read = readInstant(text);
      if (read.ok) return read.at;
      context.addIssue({ code: 'custom', message: read.message, params: { code: read.code } });
      return z.NEVER;
    })
    .meta({ format: 'date-time', description, example: '2026-11-03T02:00:00Z' });
}

/** An instant that is shown, in UTC. */
export function shownTime(description: string) {
  return z.iso.datetime().meta({ description, example: '2026-11-03T02:00:00.000Z' });
}

/** A duration in whole milliseconds. */
export function durationField(min: number, max: number, description: string, example: number) {
  return z
    .int()
    .min(min)
    .max(max)
    .meta({ description: `${description} In milliseconds.`, example });
}

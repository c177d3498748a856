import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../domain/json/canonical-json.ts';
import { type Problem, problem } from './problem.ts';

/** A cursor for the position behind the last row of a page, bound to what was listed. */
export function writeCursor(listed: unknown, position: string[]): string {
  return Buffer.from(JSON.stringify([digestOf(listed), ...position])).toString('base64url');
}

const Cursor = z.tuple([z.string()], z.string().max(200));

/**
 * The position of a cursor, or why it is refused: not ours, of another list or filter, or with parts that do not have
 * their `forms`. A cursor is no secret and gives no access, for each statement carries the tenant.
 */
export function readCursor<const Forms extends readonly RegExp[]>(
  listed: unknown,
  cursor: string,
  forms: Forms,
): { [Index in keyof Forms]: string } | Problem {
  try {
    const parsed = Cursor.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (!parsed.success) return invalid();
    const [digest, ...position] = parsed.data;
    const fits =
      position.length === forms.length && forms.every((form, index) => form.test(position[index] ?? ''));
    return digest === digestOf(listed) && fits ? (position as { [Index in keyof Forms]: string }) : invalid();
  } catch {
    return invalid();
  }
}

/** The form of an id in a cursor. */
export const UUID_FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The form of a time in a cursor: whole microseconds since 1970, which Postgres can always add up. */
export const MICROS_FORM = /^\d{1,16}$/;

function digestOf(listed: unknown): string {
  return createHash('sha256').update(canonicalJson(listed)).digest('base64url').slice(0, 16);
}

function invalid(): Problem {
  return problem('invalid_cursor', {
    errors: [
      { parameter: 'cursor', code: 'wrong_format', message: 'Expected a cursor of this list and filter.' },
    ],
  });
}

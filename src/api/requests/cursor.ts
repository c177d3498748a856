import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import type { Id, IdKind } from '../../domain/tenancy/typed-id.ts';
import { type Problem, problem } from '../problems/problem.ts';

/** A cursor for the position behind the last row of a page, bound to the list and its filter. */
export function writeCursor(listed: unknown, position: string[]): string {
  return Buffer.from(JSON.stringify([digestOf(listed), ...position])).toString('base64url');
}

declare const formOf: unique symbol;

/** The form of a part of a cursor, and the type of a text that has it. */
export interface Form<Text extends string> extends RegExp {
  readonly [formOf]?: Text;
}

type Position<Forms extends readonly Form<string>[]> = {
  [Index in keyof Forms]: Forms[Index] extends Form<infer Text> ? Text : never;
};

const Cursor = z.tuple([z.string()], z.string().max(200));

/**
 * The position of a cursor, or why it is refused: not ours, of another list or filter, or with parts that do not have
 * their `forms`. A cursor is no secret and gives no access, for each statement carries the tenant.
 */
export function readCursor<const Forms extends readonly Form<string>[]>(
  listed: unknown,
  cursor: string,
  forms: Forms,
): Position<Forms> | Problem {
  try {
    const parsed = Cursor.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (!parsed.success) return invalid();
    const [digest, ...position] = parsed.data;
    const fits =
      position.length === forms.length && forms.every((form, index) => form.test(position[index] ?? ''));
    return digest === digestOf(listed) && fits ? (position as unknown as Position<Forms>) : invalid();
  } catch {
    return invalid();
  }
}

/** The form of an id in a cursor. */
export function idForm<Kind extends IdKind>(_kind: Kind): Form<Id<Kind>> {
  return UUID;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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

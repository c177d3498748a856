import { z } from 'zod';
import { isProblem, type Problem } from '../../api/problems/problem.ts';
import { idForm, readCursor, writeCursor } from '../../api/requests/cursor.ts';
import type { Id, IdKind } from '../../domain/tenancy/typed-id.ts';

/** The most rows of a page. */
export const MAX_PAGE = 500;

/** A whole number in a query. */
export function countParameter(min: number, max: number, standard: number, description: string) {
  return z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(standard)
    .meta({ type: 'integer', minimum: min, maximum: max, default: standard, description, example: standard });
}

/** A parameter that can be repeated: its values join by OR. */
export function listParameter<Item extends z.ZodType>(item: Item, description: string) {
  return z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item).max(100))
    .optional()
    .meta({ description: `${description} Can be repeated.` });
}

/** The parameters of every list. */
export const pageParameters = {
  limit: countParameter(1, MAX_PAGE, 50, 'Rows of the page at most.'),
  cursor: z
    .string()
    .max(1_000)
    .optional()
    .meta({ description: '`nextCursor` of the page before, with the same filter.', example: 'WyI1dW1…' }),
};

/** A page of items. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: z.array(item).meta({ description: 'The rows of this page.' }),
    nextCursor: z
      .string()
      .nullable()
      .meta({ description: 'Where the next page begins; null on the last one.', example: 'WyI1dW1…' }),
  });
}

/** Reads a cursor that is an id alone; undefined for the first page. */
export function idCursor<Kind extends IdKind>(
  kind: Kind,
  listed: unknown,
  cursor: string | undefined,
): { id?: Id<Kind> } | Problem {
  if (cursor === undefined) return {};
  const position = readCursor(listed, cursor, [idForm(kind)]);
  return isProblem(position) ? position : { id: position[0] };
}

/** Makes a page of rows, of which one more than `limit` was read to know whether there is another page. */
export function pageFrom<Row, View>(
  rows: Row[],
  limit: number,
  listed: unknown,
  positionOf: (row: Row) => string[],
  view: (row: Row) => View,
): { items: View[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(view),
    nextCursor: rows.length > limit && last !== undefined ? writeCursor(listed, positionOf(last)) : null,
  };
}

import type { Answer } from './queryable.ts';

/** The row of a statement that answers with one, such as an aggregate or an insert of one row. */
export function onlyRow<Row>({ rows }: Answer<Row>): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that must answer with a row has answered with none');
  return row;
}

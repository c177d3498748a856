import { fixedId } from '../../domain/tenancy/typed-id.ts';
/** A statement by name, for what every connection plans once. */
export interface Statement {
  name?: string;
  text: string;
  values?: readonly unknown[];
}

/** What a statement answered; `rowCount` is the number of rows that it returned or changed. */
export interface Answer<Row> {
  rows: Row[];
  rowCount: number | null;
}

/** What a statement needs: a pool, or a transaction. Rows are what their type says, which each statement names. */
export interface Queryable {
  query<Row extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<Answer<Row>>;
}

declare const inTransaction: unique symbol;

/** A connection with an open transaction; only `withTransaction` hands one out. */
export interface Transaction extends Queryable {
  readonly [inTransaction]: true;
}

/** `worked_by` of what belongs to no operation: the live lane. */
export const LIVE_LANE = fixedId('operation', '00000000-0000-0000-0000-000000000000');

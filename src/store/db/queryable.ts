import { fixedId } from '../../domain/tenancy/typed-id.ts';
/** A statement; every connection plans one with a name only once. */
export interface Statement {
  name?: string;
  text: string;
  values?: readonly unknown[];
}

/** The answer of a statement; `rowCount` is the number of rows that it returned or changed. */
export interface Answer<Row> {
  rows: Row[];
  rowCount: number | null;
}

/** Runs statements: a pool, or a transaction. Each statement names the type of its rows. */
export interface Queryable {
  query<Row extends object>(statement: string | Statement, values?: readonly unknown[]): Promise<Answer<Row>>;
}

declare const inTransaction: unique symbol;

/** A connection with an open transaction; only `withTransaction` hands one out. */
export interface Transaction extends Queryable {
  readonly [inTransaction]: true;
}

/** `worked_by` of executions that the live lane sends: first deliveries, and items of interactive operations. */
export const LIVE_LANE = fixedId('operation', '00000000-0000-0000-0000-000000000000');

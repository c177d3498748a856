import type { ClientBase } from 'pg';

/** What a statement needs: a pool, or the client of a transaction. */
export interface Queryable {
  query: ClientBase['query'];
}

/** `worked_by` of what belongs to no operation: the live lane. */
export const LIVE_LANE = '00000000-0000-0000-0000-000000000000';

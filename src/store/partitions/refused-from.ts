import { timeOfId } from '../../domain/partitions/weeks.ts';
import type { Queryable } from '../db/queryable.ts';
import { PARTITIONED_TABLES } from './partitioned-tables.ts';

/**
 * The moment from which the ids of rows are refused by a table that is prepared for its conversion and was not converted yet;
 * undefined where there is none.
 */
export async function refusedFrom(db: Queryable): Promise<Date | undefined> {
  const { rows } = await db.query<{ id: string | null }>(
    `select min(substring(pg_get_constraintdef(oid) from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')) as id
     from pg_constraint where contype = 'c' and conname = any($1)`,
    [PARTITIONED_TABLES.map(({ name }) => `${name}_before`)],
  );
  const id = rows[0]?.id;
  return id ? new Date(timeOfId(id)) : undefined;
}

import { isWeek, timeOfId, type Week, weekOf, weekOfName } from '../../domain/partitions/weeks.ts';
import { PARTITIONED_TABLES } from './partitioned-tables.ts';

/** The constraint of a partition into which nothing comes any more. */
export const CLOSED = 'week_closed';

/** The channel on which whoever finds no place for a row says of which week it is. */
export const ASKED_CHANNEL = 'redrive_weeks';

/** Where Postgres looks for the partition of a row. */
const LOOKS_FOR_PARTITION = 'ExecFindPartition';

const AN_ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** A week of a table for which there is no partition. */
export interface MissingWeek {
  table: string;
  week: Week;
}

/** Whether a row was refused because the partition of its week is not there, or closed: it will be there in a moment. */
export function isWithoutPartition(error: unknown): boolean {
  const { code, routine, constraint } = (error ?? {}) as Record<string, unknown>;
  return code === '23514' && (routine === LOOKS_FOR_PARTITION || constraint === CLOSED);
}

/**
 * The week that an error is about. A version before closed partitions by a constraint that shows the refused row: that stays
 * where it is, as a payload may be in it.
 */
export function missingWeekOf(error: unknown): MissingWeek | undefined {
  if (!isWithoutPartition(error)) return undefined;
  const { table: name = '', detail = '' } = error as { table?: string; detail?: string };
  const table = PARTITIONED_TABLES.find(
    (each) => name === each.name || name.startsWith(`${each.name}_`),
  )?.name;
  const [id] = AN_ID.exec(detail) ?? [];
  // The key is the first column of each of these tables.
  const week = weekOfName(name) ?? (id === undefined ? undefined : weekOf(timeOfId(id)));
  return table === undefined || week === undefined ? undefined : { table, week };
}

/** A missing week as it is told on the channel, and read from there. */
export const askedWeek = {
  show: ({ table, week }: MissingWeek): string => `${table} ${week}`,
  read(text: string): MissingWeek | undefined {
    const [table, week] = text.split(' ');
    const known = PARTITIONED_TABLES.find(({ name }) => name === table);
    // Whoever may connect may tell something here.
    return known && isWeek(Number(week)) ? { table: known.name, week: Number(week) } : undefined;
  },
};

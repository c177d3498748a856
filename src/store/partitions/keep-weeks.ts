import { decideWeeks, type Week, type WeekSteps } from '../../domain/partitions/weeks.ts';
import type { Queryable } from '../db/queryable.ts';
import { PARTITIONED_TABLES, type PartitionedTable } from './partitioned-tables.ts';
import { analyzeWeeks, makeWeek, openName, openWeek, readWeeks } from './week-partitions.ts';
import type { MissingWeek } from './without-partition.ts';

/** Runs something in a transaction of its own. */
export type InTransaction = <Result>(work: (db: Queryable) => Promise<Result>) => Promise<Result>;

/** For how long a step waits for a lock, and keeps those waiting who come behind it. */
export const LOCK_TIMEOUT_MS = 100;

/** For how long one waits for another who makes partitions, which takes a moment. */
const OTHERS_TIMEOUT_MS = 5_000;

const LOCK_NOT_AVAILABLE = '55P03';

/** Whoever makes, opens or closes partitions of any table holds it. */
const KEY = `hashtextextended('partitions by week', 4403)`;

/** A partition that was made, or opened again. */
export interface KeptWeek {
  did: 'made' | 'opened';
  table: string;
  partition: string;
}

/**
 * Has a transaction change the partitions of a table by itself, and wait for no lock for long. What it reads of them then
 * stays true: nobody attaches or detaches one until it ends. Rows come and go.
 */
export async function changeWeeks(tx: Queryable, table: string): Promise<void> {
  await tx.query(`select set_config('lock_timeout', '${OTHERS_TIMEOUT_MS}ms', true)`);
  await tx.query(`select pg_advisory_xact_lock(${KEY})`);
  await tx.query(`select set_config('lock_timeout', '${LOCK_TIMEOUT_MS}ms', true)`);
  await tx.query(`lock table ${table} in share update exclusive mode`);
}

/** What is to be done about a table, as its partitions are now; undefined where it is none of partitions. */
export async function stepsOf(
  db: Queryable,
  { name }: PartitionedTable,
  asked: readonly MissingWeek[],
): Promise<WeekSteps | undefined> {
  const state = await readWeeks(db, name);
  const weeks: Week[] = asked.filter(({ table }) => table === name).map(({ week }) => week);
  return state && decideWeeks(state.partitions, state.nowMs, weeks);
}

/**
 * Has each table take rows of every week from two before now to five ahead, and of those that are asked for. Any number of
 * processes may do that at once.
 */
export async function keepWeeks(
  db: Queryable,
  inTransaction: InTransaction,
  asked: readonly MissingWeek[] = [],
): Promise<KeptWeek[]> {
  const kept: KeptWeek[] = [];
  for (const table of PARTITIONED_TABLES) {
    const now = await stepsOf(db, table, asked);
    if (!now || now.make.length + now.open.length === 0) continue;
    const done = await inTransaction(async (tx) => {
      await changeWeeks(tx, table.name);
      // Somebody else may have done it meanwhile.
      const { make, open } = (await stepsOf(tx, table, asked)) ?? { make: [], open: [] };
      for (const { name } of open) await openWeek(tx, name);
      const made: string[] = [];
      for (const week of make) made.push(await makeWeek(tx, table.name, week));
      return [
        ...open.map(
          ({ name }): KeptWeek => ({ did: 'opened', table: table.name, partition: openName(name) }),
        ),
        ...made.map((partition): KeptWeek => ({ did: 'made', table: table.name, partition })),
      ];
    });
    kept.push(...done);
  }
  return kept;
}

/**
 * Renews what the planner knows of the tables that got a partition, and of those of which it knows nothing, such as restored
 * ones: no vacuum does that for a table of partitions. Leaves it to the next time where somebody holds one of them.
 */
export async function analyzeKept(
  db: Queryable,
  inTransaction: InTransaction,
  kept: readonly KeptWeek[],
): Promise<void> {
  for (const { name } of PARTITIONED_TABLES) {
    const has = kept.some(({ did, table }) => did === 'made' && table === name);
    if (has || (await readWeeks(db, name))?.analyzed === false)
      await inTransaction((tx) => analyzeWeeks(tx, name)).catch((error) => {
        if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
      });
  }
}

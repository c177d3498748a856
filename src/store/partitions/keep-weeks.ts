import {
  BEHIND_MS,
  decideWeeks,
  endOf,
  isAhead,
  type Week,
  type WeekSteps,
  weekOf,
  weekOfName,
} from '../../domain/partitions/weeks.ts';
import { type Pool, withTransaction } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';
import { PARTITIONED_TABLES, type PartitionedTable } from './partitioned-tables.ts';
import { analyzeWeeks, isAwaited, makeWeek, openName, openWeek, readWeeks } from './week-partitions.ts';
import type { MissingWeek } from './without-partition.ts';

/** Runs something in a transaction of its own. */
export type InTransaction = <Result>(work: (db: Queryable) => Promise<Result>) => Promise<Result>;

/** For how long a step waits for a lock, and keeps those waiting who come behind it. */
export const LOCK_TIMEOUT_MS = 100;

/** For how long one waits for another who makes partitions, which takes a moment. */
const OTHERS_TIMEOUT_MS = 5_000;

/** Until a process that is stopped, or cut off, before its commit gives the lock of a partition back. */
const IDLE_TIMEOUT_MS = 1_000;

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
  // Of its partitions none: one that is being vacuumed is in nobody's way.
  await tx.query(`lock table only ${table} in share update exclusive mode`);
}

/** Has the server end a transaction that locks a partition and does not go on: others wait for what they need of it. */
export async function holdBriefly(tx: Queryable): Promise<void> {
  await tx.query(`set local idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`);
}

/**
 * Transactions of a pool in which each statement sees what was committed before it, whatever the database says: a look
 * behind a lock has to see what came before the lock.
 */
export function transactionsOf(pool: Pool): InTransaction {
  return (work) => withTransaction(pool, work, { isolation: 'read committed' });
}

/** What is to be done about a table, as its partitions are now; undefined where it is none of partitions. */
export async function stepsOf(
  db: Queryable,
  { name, awaited }: PartitionedTable,
  asked: readonly MissingWeek[],
): Promise<WeekSteps | undefined> {
  const state = await readWeeks(db, name);
  if (!state) return undefined;
  const weeks: Week[] = asked.filter(({ table }) => table === name).map(({ week }) => week);
  const waiting: Week[] = [];
  for (const week of weeks)
    if (awaited !== undefined && isAhead(week, state.nowMs))
      if (await isAwaited(db, awaited, { from: week, to: endOf(week) })) waiting.push(week);
  return decideWeeks(state.partitions, state.nowMs, weeks, waiting);
}

/** What was made or opened, and the first failure where some were not. */
export interface KeptWeeks {
  kept: KeptWeek[];
  failed?: unknown;
}

/**
 * Has each table take rows of every week from two before now to five ahead, and of those that are asked for: each by itself,
 * so that one that cannot be made keeps no other away. Any number of processes may do that at once.
 */
export async function keepWeeks(
  db: Queryable,
  inTransaction: InTransaction,
  asked: readonly MissingWeek[] = [],
): Promise<KeptWeeks> {
  const kept: KeptWeek[] = [];
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      failures.push(error);
    }
  };
  for (const table of PARTITIONED_TABLES)
    await attempt(async () => {
      // Whatever is asked for comes behind what everybody needs.
      const first = await stepsOf(db, table, []);
      const then = asked.length === 0 ? undefined : await stepsOf(db, table, asked);
      for (const { name } of new Set([...(first?.open ?? []), ...(then?.open ?? [])]))
        await attempt(async () => {
          if (await inTransaction((tx) => openNeeded(tx, table, asked, name)))
            kept.push({ did: 'opened', table: table.name, partition: openName(name) });
        });
      for (const week of new Set([...(first?.make ?? []), ...(then?.make ?? [])]))
        await attempt(async () => {
          const partition = await inTransaction((tx) => makeNeeded(tx, table, asked, week));
          if (partition !== undefined) kept.push({ did: 'made', table: table.name, partition });
        });
    });
  return failures.length === 0 ? { kept } : { kept, failed: failures[0] };
}

/** Opens one, unless somebody else has done so meanwhile. */
async function openNeeded(
  tx: Queryable,
  table: PartitionedTable,
  asked: readonly MissingWeek[],
  name: string,
): Promise<boolean> {
  await changeWeeks(tx, table.name);
  const steps = await stepsOf(tx, table, asked);
  if (!steps?.open.some((partition) => partition.name === name)) return false;
  await holdBriefly(tx);
  await openWeek(tx, name);
  return true;
}

async function makeNeeded(
  tx: Queryable,
  table: PartitionedTable,
  asked: readonly MissingWeek[],
  week: Week,
): Promise<string | undefined> {
  await changeWeeks(tx, table.name);
  const steps = await stepsOf(tx, table, asked);
  return steps?.make.includes(week) ? makeWeek(tx, table.name, week) : undefined;
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
    const state = await readWeeks(db, name);
    if (!state) continue;
    // One of long ago, which was asked for, is of a few rows.
    const since = weekOf(state.nowMs - BEHIND_MS);
    const has = kept.some(
      ({ did, table, partition }) =>
        did === 'made' && table === name && (weekOfName(partition) ?? 0) >= since,
    );
    if (has || !state.analyzed)
      await inTransaction((tx) => analyzeWeeks(tx, name)).catch((error) => {
        if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
      });
  }
}

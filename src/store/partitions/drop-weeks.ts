import type { Partition } from '../../domain/partitions/weeks.ts';
import { type Pool, withTransaction } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';
import { changeWeeks, LOCK_TIMEOUT_MS, stepsOf } from './keep-weeks.ts';
import { PARTITIONED_TABLES, type PartitionedTable } from './partitioned-tables.ts';
import {
  closeWeek,
  detachWeek,
  dropWeek,
  finaliseWeek,
  isAwaited,
  isEmpty,
  openName,
  readWeeks,
} from './week-partitions.ts';
import type { MissingWeek } from './without-partition.ts';

/** For how long a detaching waits for transactions that use the table; nobody waits behind that. */
const DETACH_TIMEOUT_MS = 2_000;

/** For how long a partition is looked through for a row; where no vacuum has been yet, a later round does it. */
const LOOK_TIMEOUT_MS = 1_000;

/** The steps in which a partition goes, in their order. */
export type DropStep = 'look' | 'close' | 'detach' | 'finalise' | 'drop';

/** A partition that went, or whose next step is left to the next round, and the code of what it waits for. */
export type DroppedWeek = { table: string; partition: string } & (
  | { did: 'dropped' }
  | { did: 'waits'; step: DropStep; code: string }
);

/** Locks that are not to be had in time, and a look that takes too long. */
const WAITS = /^(55P03|40P01|57014|55006)$/;

/** A step that another process has taken in between, or takes at this moment. */
const TAKEN = /^(55000|42P01|42704|42710|42809|XX000)$/;

/**
 * Drops the partitions of which nothing is left and whose week has long been over: closes them, detaches them, drops them.
 * Broken off anywhere, it goes on with the next round. Nobody waits for it longer than a tenth of a second.
 */
export async function dropWeeks(pool: Pool, asked: readonly MissingWeek[] = []): Promise<DroppedWeek[]> {
  const facts: DroppedWeek[] = [];
  for (const table of PARTITIONED_TABLES) facts.push(...(await dropOf(pool, table, asked)));
  return facts;
}

async function dropOf(
  pool: Pool,
  table: PartitionedTable,
  asked: readonly MissingWeek[],
): Promise<DroppedWeek[]> {
  const facts: DroppedWeek[] = [];
  const attempt = async (name: string, step: DropStep, work: () => Promise<unknown>) => {
    try {
      return (await work()) !== false;
    } catch (error) {
      const { code = '' } = error as { code?: string };
      if (WAITS.test(code))
        facts.push({ did: 'waits', table: table.name, partition: openName(name), step, code });
      else if (!TAKEN.test(code)) throw error;
      return false;
    }
  };
  const steps = await stepsOf(pool, table, asked);
  for (const { name } of steps?.finalise ?? [])
    await attempt(name, 'finalise', () =>
      outsideTransaction(pool, DETACH_TIMEOUT_MS, (db) => finaliseWeek(db, table.name, name)),
    );
  for (const partition of steps?.close ?? []) {
    const { name } = partition;
    const gone = await attempt(name, 'look', () => hasNothing(pool, table, partition));
    if (gone) await attempt(name, 'close', () => close(pool, table, name, asked));
  }
  for (const { name } of (await stepsOf(pool, table, asked))?.detach ?? [])
    await attempt(name, 'detach', () =>
      outsideTransaction(pool, DETACH_TIMEOUT_MS, (db) => detachWeek(db, table.name, name)),
    );
  for (const name of (await readWeeks(pool, table.name))?.detached ?? []) {
    const dropped = await attempt(name, 'drop', () =>
      outsideTransaction(pool, LOCK_TIMEOUT_MS, (db) => dropWeek(db, name)),
    );
    if (dropped) facts.push({ did: 'dropped', table: table.name, partition: openName(name) });
  }
  return facts;
}

/** Looks without a lock, so that a partition with rows is locked by nobody. */
async function hasNothing(pool: Pool, { awaited }: PartitionedTable, partition: Partition): Promise<boolean> {
  return withTransaction(pool, async (tx) => {
    await tx.query(`set local statement_timeout = ${LOOK_TIMEOUT_MS}`);
    if (!(await isEmpty(tx, partition.name))) return false;
    return awaited === undefined || !(await isAwaited(tx, awaited, partition));
  });
}

async function close(
  pool: Pool,
  table: PartitionedTable,
  name: string,
  asked: readonly MissingWeek[],
): Promise<boolean> {
  return withTransaction(pool, async (tx) => {
    await changeWeeks(tx, table.name);
    // The clock may have been put back since it was decided, or somebody else has closed it.
    const steps = await stepsOf(tx, table, asked);
    if (!steps?.close.some((partition) => partition.name === name)) return false;
    // With the lock there are others who wait.
    await tx.query(`set local statement_timeout = ${2 * LOCK_TIMEOUT_MS}`);
    return closeWeek(tx, name);
  });
}

/** On a connection of its own, whose settings end with it. */
async function outsideTransaction(
  pool: Pool,
  lockTimeoutMs: number,
  work: (db: Queryable) => Promise<void>,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`set lock_timeout = ${lockTimeoutMs}`);
    await work(client as unknown as Queryable);
  } finally {
    client.release(true);
  }
}

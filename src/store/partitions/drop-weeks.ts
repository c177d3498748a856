import pg from 'pg';
import type { Partition } from '../../domain/partitions/weeks.ts';
import type { Pool } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';
import { changeWeeks, holdBriefly, LOCK_TIMEOUT_MS, stepsOf, transactionsOf } from './keep-weeks.ts';
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

/**
 * A partition that went, or whose next step is left to the next round with the code of what it waits for, or that was
 * detached and is not as it was closed: it is left to a human.
 */
export type DroppedWeek = { table: string; partition: string } & (
  | { did: 'dropped' | 'left' }
  | { did: 'waits'; step: DropStep; code: string }
);

/**
 * Locks that are not to be had in time, a look that takes too long, an owner who is somebody else, and a name that one
 * which is still to be dropped has.
 */
const WAITS = /^(25P03|55P03|40P01|57014|55006|42501|42P07)$/;

/** A step that another process has taken in between, or takes at this moment. */
const TAKEN = /^(55000|42P01|42704|42710|42809|XX000)$/;

/**
 * Drops the partitions of which nothing is left and whose week has long been over: closes them, detaches them, drops them.
 * Broken off anywhere, it goes on with the next round. Nobody waits for it longer than a tenth of a second. What fails with
 * one table keeps no other from its turn; the first failure is answered.
 */
export async function dropWeeks(
  pool: Pool,
  asked: readonly MissingWeek[] = [],
): Promise<{ facts: DroppedWeek[]; failed?: unknown }> {
  const facts: DroppedWeek[] = [];
  const failures: unknown[] = [];
  for (const table of PARTITIONED_TABLES)
    await new TableDrops(pool, table, asked, (fact) => facts.push(fact)).run().catch((error) => {
      failures.push(error);
    });
  return failures.length === 0 ? { facts } : { facts, failed: failures[0] };
}

/** One round over the partitions of one table. */
class TableDrops {
  readonly #pool: Pool;
  readonly #table: PartitionedTable;
  readonly #asked: readonly MissingWeek[];
  readonly #tell: (fact: DroppedWeek) => void;

  constructor(
    pool: Pool,
    table: PartitionedTable,
    asked: readonly MissingWeek[],
    tell: (fact: DroppedWeek) => void,
  ) {
    this.#pool = pool;
    this.#table = table;
    this.#asked = asked;
    this.#tell = tell;
  }

  async run(): Promise<void> {
    const [pool, table, asked] = [this.#pool, this.#table, this.#asked];
    const steps = await stepsOf(pool, table, asked);
    for (const { name } of steps?.finalise ?? [])
      await this.#attempt(name, 'finalise', () =>
        outsideTransaction(pool, (db) => finaliseWeek(db, table.name, name)),
      );
    // Before others are closed, which may have their names.
    await this.#dropDetached();
    for (const partition of steps?.close ?? []) {
      const { name } = partition;
      const gone = await this.#attempt(name, 'look', () => hasNothing(pool, table, partition));
      if (gone) await this.#attempt(name, 'close', () => close(pool, table, name, asked));
    }
    for (const { name } of (await stepsOf(pool, table, asked))?.detach ?? [])
      await this.#attempt(name, 'detach', () =>
        outsideTransaction(pool, (db) => detachWeek(db, table.name, name)),
      );
    await this.#dropDetached();
  }

  async #dropDetached(): Promise<void> {
    for (const name of (await readWeeks(this.#pool, this.#table.name))?.detached ?? []) {
      const told = { table: this.#table.name, partition: openName(name) };
      await this.#attempt(name, 'drop', async () => {
        const dropped = await transactionsOf(this.#pool)(async (tx) => {
          await tx.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
          return dropWeek(tx, name);
        });
        this.#tell({ did: dropped ? 'dropped' : 'left', ...told });
      });
    }
  }

  async #attempt(name: string, step: DropStep, work: () => Promise<unknown>): Promise<boolean> {
    try {
      return (await work()) !== false;
    } catch (error) {
      const { code = '' } = error as { code?: string };
      if (WAITS.test(code))
        this.#tell({ did: 'waits', table: this.#table.name, partition: openName(name), step, code });
      else if (!TAKEN.test(code)) throw error;
      return false;
    }
  }
}

/** Looks without a lock, so that a partition with rows is locked by nobody. */
async function hasNothing(pool: Pool, { awaited }: PartitionedTable, partition: Partition): Promise<boolean> {
  return transactionsOf(pool)(async (tx) => {
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
  return transactionsOf(pool)(async (tx) => {
    await changeWeeks(tx, table.name);
    // The clock may have been put back since it was decided, or somebody else has closed it.
    const steps = await stepsOf(tx, table, asked);
    if (!steps?.close.some((partition) => partition.name === name)) return false;
    await holdBriefly(tx);
    // Once it has the lock it looks for a row, and others wait.
    await tx.query(`set local statement_timeout = ${2 * LOCK_TIMEOUT_MS}`);
    return closeWeek(tx, name);
  });
}

/** On a connection of its own, whose settings no other session can get. */
async function outsideTransaction(pool: Pool, work: (db: Queryable) => Promise<void>): Promise<void> {
  const { connectionString, options } = pool.options;
  const client = new pg.Client({
    connectionString,
    application_name: 'redrive-weeks',
    options: `${options} -c lock_timeout=${DETACH_TIMEOUT_MS}`,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    await work(client as unknown as Queryable);
  } finally {
    await client.end().catch(() => {});
  }
}

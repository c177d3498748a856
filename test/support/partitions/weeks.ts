import pg from 'pg';
import { endOf, weekOf } from '../../../src/domain/partitions/weeks.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { type DroppedWeek, dropWeeks } from '../../../src/store/partitions/drop-weeks.ts';
import { type KeptWeek, keepWeeks, transactionsOf } from '../../../src/store/partitions/keep-weeks.ts';
import { PARTITIONED_TABLES } from '../../../src/store/partitions/partitioned-tables.ts';
import { makeWeek, readWeeks } from '../../../src/store/partitions/week-partitions.ts';

export const WEEK_MS = 7 * 24 * 3_600_000;

/** Databases whose ids a test dates, and the tables in which they lie. */
export interface PlayedWeeks {
  /** Has ids that are made from now on carry the time of so long ago. */
  idsAgo(ms: number): Promise<void>;
}

/**
 * Gives an empty database a partition for each of the last `back` weeks, in the place of the one that holds all that was
 * before the conversion, and lets a test date the ids that it makes. To be called before anything else uses the database.
 */
export async function playWeeks({ url, pool }: { url: string; pool: Pool }, back = 8): Promise<PlayedWeeks> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // Found before the one of the server, by sessions that begin from now on.
    await client.query(`create table played_clock as select interval '0' as ago;
      create or replace function public.uuidv7() returns uuid language sql volatile as $$
        select (overlay(lpad(to_hex((extract(epoch from clock_timestamp() - (select ago from public.played_clock))
          * 4096000)::bigint), 15, '0') placing '7' from 13 for 0) || substr(gen_random_uuid()::text, 20))::uuid
      $$;
      alter database ${new URL(url).pathname.slice(1)} set search_path = public, pg_catalog`);
  } finally {
    await client.end();
  }
  const now = Date.now();
  for (const { name } of PARTITIONED_TABLES) {
    await pool.query(`alter table ${name} detach partition ${name}_before`);
    await pool.query(`drop table ${name}_before`);
    const there = (await readWeeks(pool, name))?.partitions ?? [];
    await withTransaction(pool, async (tx) => {
      for (let week = weekOf(now - back * WEEK_MS); week < now; week = endOf(week))
        if (!there.some(({ from }) => from === week)) await makeWeek(tx, name, week);
    });
  }
  await makeMissing(pool);
  return {
    async idsAgo(ms) {
      await pool.query(`update played_clock set ago = $1::float8 * interval '1 millisecond'`, [ms]);
    },
  };
}

/** Makes the partitions that are missing, as a worker does. */
export async function makeMissing(pool: Pool, asked?: Parameters<typeof keepWeeks>[2]): Promise<KeptWeek[]> {
  const { kept, failed } = await keepWeeks(pool, transactionsOf(pool), asked);
  if (failed !== undefined) throw failed;
  return kept;
}

/** One round of dropping, as a worker does it. */
export async function dropEmpty(pool: Pool): Promise<DroppedWeek[]> {
  const { facts, failed } = await dropWeeks(pool);
  if (failed !== undefined) throw failed;
  return facts;
}

/** The names of the partitions of a table, oldest first. */
export async function partitionsOf(pool: Pool, table: string): Promise<string[]> {
  const weeks = await readWeeks(pool, table);
  return (weeks?.partitions ?? []).sort((a, b) => a.to - b.to).map(({ name }) => name);
}

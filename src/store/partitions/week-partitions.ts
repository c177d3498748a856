import {
  endOf,
  firstIdAt,
  nameOfWeek,
  type Partition,
  timeOfId,
  type Week,
} from '../../domain/partitions/weeks.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';
import { CLOSED } from './without-partition.ts';

/** The partitions of a table, and the time of the database. */
export interface WeekState {
  nowMs: number;
  partitions: Partition[];
  /** Whether the planner knows anything of the table as a whole. */
  analyzed: boolean;
  /** Partitions that are detached, and were not dropped yet. */
  detached: string[];
}

/** The function of the database that refuses the rows of a closed partition. */
const REFUSES = 'refuse_closed_week';

interface PartitionRow {
  name: string;
  bounds: string | null;
  closed: boolean;
  leaving: boolean;
}

/** Reads the catalog; undefined where the table is none of partitions, as before the migration that makes it one. */
export async function readWeeks(db: Queryable, table: string): Promise<WeekState | undefined> {
  const { rows } = await db.query<{
    now_ms: number;
    analyzed: boolean;
    partitions: PartitionRow[];
    detached: string[];
  }>(
    `select (extract(epoch from now()) * 1000)::float8 as now_ms, p.reltuples >= 0 as analyzed,
       coalesce((select jsonb_agg(jsonb_build_object('name', c.relname, 'bounds', pg_get_expr(c.relpartbound, c.oid),
           'leaving', i.inhdetachpending, 'closed', exists (
             select from pg_constraint k where k.conrelid = c.oid and k.conname = '${CLOSED}')) order by c.relname)
         from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = p.oid), '[]') as partitions,
       array(select c.relname::text from pg_class c join pg_constraint k on k.conrelid = c.oid and k.conname = '${CLOSED}'
         where c.relnamespace = p.relnamespace and c.relkind = 'r' and not c.relispartition
           and c.relname ~ ('^' || p.relname || '_(before|[0-9]{8})_closed$')) as detached
     from pg_class p where p.oid = to_regclass($1) and p.relkind = 'p'`,
    [table],
  );
  const [row] = rows;
  return (
    row && {
      nowMs: row.now_ms,
      analyzed: row.analyzed,
      detached: row.detached,
      partitions: row.partitions.flatMap(({ bounds, ...partition }) => {
        const span = spanOf(bounds ?? '');
        return span ? [{ ...partition, ...span }] : [];
      }),
    }
  );
}

/** Reads the words of Postgres on the bounds of a partition. */
function spanOf(bounds: string): { from: number; to: number } | undefined {
  const [, from, to] = /FROM \(([^)]+)\) TO \(([^)]+)\)/.exec(bounds) ?? [];
  if (from === undefined || to === undefined) return undefined;
  return {
    from: from === 'MINVALUE' ? Number.NEGATIVE_INFINITY : timeOfId(from.replaceAll("'", '')),
    to: to === 'MAXVALUE' ? Number.POSITIVE_INFINITY : timeOfId(to.replaceAll("'", '')),
  };
}

/**
 * Makes the partition of a week apart, like its table and with the storage parameters of the newest partition, and attaches
 * it: CREATE TABLE … PARTITION OF would keep everybody waiting, this keeps nobody. Answers its name. Runs in a transaction.
 */
export async function makeWeek(tx: Queryable, table: string, week: Week): Promise<string> {
  const name = nameOfWeek(table, week);
  const { schema, owner, options } = onlyRow(
    await tx.query<{ schema: string; owner: string | null; options: string | null }>(
      `select quote_ident(n.nspname) as schema,
         case when pg_get_userbyid(p.relowner) <> current_user then quote_ident(pg_get_userbyid(p.relowner)) end as owner, (
         select string_agg(o.name, ', ') from (
           select c.reloptions, t.reloptions as toast_options from pg_inherits i join pg_class c on c.oid = i.inhrelid
           left join pg_class t on t.oid = c.reltoastrelid where i.inhparent = p.oid 
           order by c.relname like '%\\_before', c.relname desc limit 1) newest
         cross join lateral (
           select unnest(newest.reloptions) as name union all select 'toast.' || unnest(newest.toast_options)) o) as options
       from pg_class p join pg_namespace n on n.oid = p.relnamespace where p.oid = to_regclass($1)`,
      [table],
    ),
  );
  // Beside its table: what is first in the search path of a session may be another schema.
  const own = `${schema}.${name}`;
  await tx.query(`create table ${own} (like ${table} including all)`);
  if (options !== null) await tx.query(`alter table ${own} set (${options})`);
  if (owner !== null) await tx.query(`alter table ${own} owner to ${owner}`);
  // Empty, it is looked through in no time: no constraint has to say what is in it.
  await tx.query(
    `alter table ${table} attach partition ${own}
       for values from ('${firstIdAt(week)}') to ('${firstIdAt(endOf(week))}')`,
  );
  return name;
}

/**
 * The name of a closed partition. Whoever detaches or drops one does so by this name: where another has opened it in between,
 * it is not there any more.
 */
const closedName = (name: string) => `${name}_closed`;

/** The name that a closed partition has when it is open. */
export function openName(name: string): string {
  return name.replace(/_closed$/, '');
}

/**
 * Lets rows into a closed partition again. Runs in a transaction that keeps its table from being changed by others, and whose
 * `lock_timeout` is short.
 */
export async function openWeek(tx: Queryable, name: string): Promise<void> {
  // In one message: a process that is stopped in between would keep everybody waiting, and leave half of it.
  await tx.query(`do $$ begin
      alter table ${name} drop constraint if exists ${CLOSED};
      alter table ${name} rename to ${openName(name)};
    end $$`);
}

/** Whether a partition has no row that anybody can see now. */
export async function isEmpty(db: Queryable, name: string): Promise<boolean> {
  const { rows } = await db.query<{ empty: boolean }>(`select not exists (select from ${name}) as empty`);
  return rows[0]?.empty === true;
}

/** Whether a row may still come into the span of a partition. */
export async function isAwaited(
  db: Queryable,
  awaited: string,
  { from, to }: Pick<Partition, 'from' | 'to'>,
): Promise<boolean> {
  const { rows } = await db.query<{ awaited: boolean }>(`select exists (${awaited}) as awaited`, [
    firstIdAt(Math.max(0, from)),
    firstIdAt(to),
  ]);
  return rows[0]?.awaited === true;
}

/**
 * Closes a partition, unless it has a row: from the commit on nothing comes into it. While the partition is locked nobody
 * writes or reads it, so that what it shows is all that there is. Runs in a transaction, whose `lock_timeout` is short.
 */
export async function closeWeek(tx: Queryable, name: string): Promise<boolean> {
  // In one message: a process that is stopped in between would keep everybody waiting.
  const answers = await tx.query<{ closed: boolean }>(`do $$ begin
      lock table only ${name} in access exclusive mode;
      if exists (select from ${name}) then return; end if;
      -- The key is the first column. A constraint that is merely false has the row that it refuses in the log of the server.
      execute (select format('alter table ${name} add constraint ${CLOSED} check (${REFUSES}(%L, %I)) not valid', '${name}', attname)
        from pg_attribute where attrelid = '${name}'::regclass and attnum = 1);
      alter table ${name} rename to ${closedName(name)};
    end $$;
    select to_regclass('${closedName(name)}') is not null as closed`);
  const [, answer] = answers as unknown as { rows: { closed: boolean }[] }[];
  return answer?.rows[0]?.closed === true;
}

/** Takes a closed partition out of its table, while everybody works on. Not in a transaction. */
export async function detachWeek(db: Queryable, table: string, name: string): Promise<void> {
  await db.query(`alter table ${table} detach partition ${name} concurrently`);
}

/** Ends a detaching that somebody broke off. */
export async function finaliseWeek(db: Queryable, table: string, name: string): Promise<void> {
  await db.query(`alter table ${table} detach partition ${name} finalize`);
}

/**
 * Drops a partition that was closed and detached; false where it is not so, or has a row all the same, and is left to a
 * human. Runs in a transaction, whose `lock_timeout` is short.
 */
export async function dropWeek(tx: Queryable, name: string): Promise<boolean> {
  await tx.query(`lock table only ${name} in access exclusive mode`);
  const { rows } = await tx.query<{ gone: boolean }>(
    `select c.relkind = 'r' and not c.relispartition and exists (
       select from pg_constraint k where k.conrelid = c.oid and k.conname = '${CLOSED}') as gone
     from pg_class c where c.oid = $1::regclass`,
    [name],
  );
  if (rows[0]?.gone !== true || !(await isEmpty(tx, name))) return false;
  await tx.query(`drop table ${name}`);
  return true;
}

/** Renews the statistics of a whole table of partitions. Runs in a transaction. */
export async function analyzeWeeks(tx: Queryable, table: string): Promise<void> {
  await tx.query(`set local lock_timeout = '1s'`);
  const { server } = onlyRow(
    await tx.query<{ server: number }>(`select current_setting('server_version_num')::int as server`),
  );
  // Before 18 its partitions come with it.
  await tx.query(`analyze ${server >= 180_000 ? 'only ' : ''}${table}`);
}

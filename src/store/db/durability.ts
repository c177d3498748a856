import type { Queryable } from './queryable.ts';

/**
 * Settings of this session by which Postgres answers a commit that a crash of its server may undo: then a 2xx is no
 * promise any more.
 */
export async function settingsThatLose(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select name from pg_settings
     where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`,
  );
  return rows.map(({ name }) => name);
}

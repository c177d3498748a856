import type pg from 'pg';

/** The oldest Postgres that every statement of Redrive runs on: the tests are run on it, too. */
const LOWEST = { major: 16, number: 160_000 };

/** Says why a server is too old, in one sentence; nothing where it is not. */
export async function versionProblem(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
  );
  const [version] = rows;
  if (version === undefined || version.number >= LOWEST.number) return undefined;
  return `Redrive needs Postgres ${LOWEST.major} or newer and this server is ${version.name}: upgrade it, or point DATABASE_URL to another one.`;
}

/**
 * Makes `uuidv7()` where the server has none of its own, which begins with Postgres 18. Runs in a transaction, before
 * the first file that uses it.
 *
 * Twelve bits behind the milliseconds hold what is left of the time, as those of Postgres 18 do: an id that was made
 * after another was committed sorts behind it. Of one statement it makes several in one microsecond, which are in no
 * order; Postgres 18 keeps those of one session in order, and nothing may rely on that.
 */
export async function ensureUuidv7(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ missing: boolean }>(
    `select to_regprocedure('uuidv7()') is null as missing`,
  );
  if (rows[0]?.missing !== true) return;
  // One expression, each part of it used once: such a function is inlined. Its body is parsed now, so that no search
  // path of a later session changes what it means.
  await client.query(`create function uuidv7() returns uuid language sql volatile parallel safe
    return (
      -- Fifteen digits of time, in units of 1/4096 ms, with the version in them; the variant and what is random behind.
      overlay(lpad(to_hex((extract(epoch from clock_timestamp()) * 4096000)::bigint), 15, '0') placing '7' from 13 for 0)
        || substr(gen_random_uuid()::text, 20)
    )::uuid`);
}

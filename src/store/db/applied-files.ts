import type pg from 'pg';
import type { Migration } from './migration-files.ts';

/** The files that were applied, each with its checksum and what it needs. */
export type Applied = ReadonlyMap<string, { checksum: string; needs: string | null }>;

/** Makes the table in which the applied files are written down, where it is not there. */
export async function createTable(client: pg.Client): Promise<void> {
  await client.query('set local client_min_messages = warning');
  await client.query(`create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`);
}

/** Writes down that a file was applied, and what it needs; the column of that is made with the first that needs something. */
export async function noteApplied(
  client: pg.Client,
  { name, checksum, needs }: Pick<Migration, 'name' | 'checksum' | 'needs'>,
): Promise<void> {
  await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum]);
  if (needs === undefined) return;
  await client.query('alter table schema_migrations add column if not exists needs text');
  await client.query('update schema_migrations set needs = $2 where name = $1', [name, needs]);
}

/** The files that were applied to a database. */
export async function appliedFiles(client: pg.Client): Promise<Applied> {
  // By its name in a document: the column may not be there.
  const { rows } = await client.query<{ name: string; checksum: string; needs: string | null }>(
    `select name, checksum, to_jsonb(m)->>'needs' as needs from schema_migrations m`,
  );
  return new Map(rows.map(({ name, ...row }) => [name, row]));
}

/** The files of a later version behind those of this one, where this version may run on what they made. */
export function laterThan(migrations: readonly Migration[], done: Applied): string[] {
  const known = new Set(migrations.map(({ name }) => name));
  const last = migrations.at(-1)?.name ?? '';
  return [...done]
    .filter(([name, { needs }]) => name > last && (needs === null || known.has(needs)))
    .map(([name]) => name)
    .sort();
}

/** Says where a database and the files differ. Forward only: an applied one is never edited, removed or overtaken. */
export function driftProblem(migrations: readonly Migration[], done: Applied): string | undefined {
  const known = new Set([...migrations.map(({ name }) => name), ...laterThan(migrations, done)]);
  const unknown = [...done.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    return `This database has the migration ${unknown}, which this version of Redrive does not know: run the version that made it, or a newer one.`;
  }
  const edited = migrations.find(
    ({ name, checksum }) => done.has(name) && done.get(name)?.checksum !== checksum,
  );
  if (edited !== undefined) {
    return `The migration ${edited.name} was edited after it had been applied: restore the file, and put the change into a new migration.`;
  }
  // One of a later version counts, too: this file was written beside it, and has never run on what it makes.
  const last = [...done.keys()].sort().at(-1) ?? '';
  const late = migrations.find(({ name }) => !done.has(name) && name < last);
  if (late === undefined) return undefined;
  return `The migration ${late.name} comes before ${last}, which has already been applied: give it the next free number.`;
}

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { ADOPTED, adopt, isOfEarlierFiles } from './adoption.ts';
import { ensureUuidv7, versionProblem } from './server-version.ts';

/** One numbered file of `migrations/`. */
type Migration = { name: string; number: string; sql: string; checksum: string };

/** The result of a migration run, or the one sentence that says why it did not run. */
export type MigrationResult =
  /** The warnings are points that somebody has to look at, a sentence each, where there are any. */
  { ok: true; applied: string[]; warnings?: string[] } | { ok: false; problem: string };

/** Where the migrations of this version are; `src/store` and `dist/store` are equally deep. */
const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

/** Any constant does, as long as every migrator of every version uses this one. */
const LOCK = '7210458331';

/**
 * Brings a database to the schema of this version: each numbered file once, in a transaction of its own, forward only.
 * Any number of processes may do this at the same moment.
 */
export async function migrate(url: string, options: { directory?: URL } = {}): Promise<MigrationResult> {
  return withMigrations(url, options.directory, async (client, migrations) => {
    const applied: string[] = [];
    const warnings: string[] = [];
    client.on('notice', ({ severity, message }) => {
      if (severity === 'WARNING' && message !== undefined) warnings.push(message);
    });
    // Every step is decided again under the lock, since another migrator may have been faster.
    for (;;) {
      const step = await migrateOnce(client, migrations);
      if (step === 'nothing left') return { ok: true, applied, ...(warnings.length > 0 ? { warnings } : {}) };
      if ('problem' in step) return { ok: false, problem: step.problem };
      applied.push(step.applied);
    }
  });
}

/** Says whether a database has the schema of this version, and changes nothing. */
export async function pendingMigrations(
  url: string,
  options: { directory?: URL } = {},
): Promise<MigrationResult> {
  return withMigrations(url, options.directory, async (client, migrations) => {
    const { rows } = await client.query<{ there: boolean }>(
      `select to_regclass('schema_migrations') is not null as there`,
    );
    const done = rows[0]?.there === true ? await appliedChecksums(client) : new Map<string, string>();
    const problem = isOfEarlierFiles(done, migrations) ? undefined : driftProblem(migrations, done);
    if (problem !== undefined) return { ok: false, problem };
    const missing = migrations.find(({ name }) => !done.has(name));
    if (missing === undefined) return { ok: true, applied: [] };
    return {
      ok: false,
      problem: `The database lacks the migration ${missing.name}: run \`node dist/main.js migrate\` first.`,
    };
  });
}

async function withMigrations(
  url: string,
  directory: URL = MIGRATIONS,
  act: (client: pg.Client, migrations: readonly Migration[]) => Promise<MigrationResult>,
): Promise<MigrationResult> {
  const migrations = await readMigrations(directory);
  const twice = migrations.find((migration, at) => migration.number === migrations[at - 1]?.number);
  if (twice !== undefined) {
    return {
      ok: false,
      problem: `Two migrations have the number ${twice.number}: give ${twice.name} the next free one.`,
    };
  }
  const client = new pg.Client({ connectionString: url, application_name: 'redrive migrate' });
  // A connection that is lost between two statements is reported by the next one.
  client.on('error', () => {});
  await client.connect();
  try {
    const problem = await versionProblem(client);
    return problem === undefined ? await act(client, migrations) : { ok: false, problem };
  } finally {
    await client.end();
  }
}

async function migrateOnce(
  client: pg.Client,
  migrations: readonly Migration[],
): Promise<{ applied: string } | { problem: string } | 'nothing left'> {
  await client.query('begin');
  try {
    // Given back by the end of the transaction, however that comes: a killed migrator blocks nobody.
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await ensureUuidv7(client);
    await createTable(client);
    const done = await appliedChecksums(client);
    if (isOfEarlierFiles(done, migrations)) {
      const refused = await adopt(client, done, migrations);
      await client.query(refused ? 'rollback' : 'commit');
      return refused ?? { applied: ADOPTED };
    }
    const problem = driftProblem(migrations, done);
    const next = migrations.find((migration) => !done.has(migration.name));
    if (problem === undefined && next !== undefined) {
      await client.query(next.sql);
      await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
        next.name,
        next.checksum,
      ]);
    }
    await client.query('commit');
    if (problem !== undefined) return { problem };
    return next === undefined ? 'nothing left' : { applied: next.name };
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

async function createTable(client: pg.Client): Promise<void> {
  await client.query('set local client_min_messages = warning');
  await client.query(`create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`);
}

async function appliedChecksums(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from schema_migrations',
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

/** Forward only: an applied migration is never edited, never removed and never overtaken. */
function driftProblem(
  migrations: readonly Migration[],
  done: ReadonlyMap<string, string>,
): string | undefined {
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = [...done.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    return `This database has the migration ${unknown}, which this version of Redrive does not know: run the version that made it, or a newer one.`;
  }
  const edited = migrations.find(({ name, checksum }) => done.has(name) && done.get(name) !== checksum);
  if (edited !== undefined) {
    return `The migration ${edited.name} was edited after it had been applied: restore the file, and put the change into a new migration.`;
  }
  const last = migrations.findLast(({ name }) => done.has(name));
  const late = migrations.find(({ name }) => !done.has(name) && last !== undefined && name < last.name);
  if (late === undefined) return undefined;
  return `The migration ${late.name} comes before ${last?.name}, which has already been applied: give it the next free number.`;
}

async function readMigrations(directory: URL): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}-.+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      // A checkout with other line ends is not an edit.
      const sql = (await readFile(new URL(name, directory), 'utf8')).replaceAll('\r\n', '\n');
      return {
        name,
        number: name.slice(0, 4),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    }),
  );
}

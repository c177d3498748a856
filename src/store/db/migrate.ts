import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { analyzeKept, type InTransaction, keepWeeks } from '../partitions/keep-weeks.ts';
import { ADOPTED, adopt, isOfEarlierFiles } from './adoption.ts';
import {
  type Applied,
  appliedFiles,
  createTable,
  driftProblem,
  laterThan,
  noteApplied,
} from './applied-files.ts';
import {
  AFTER_REFUSAL_MS,
  Batches,
  describeWait,
  isWithoutLock,
  LOCK_TIMEOUT_MS,
  type MigrationProgress,
} from './batches.ts';
import { filesProblem, type Migration, readMigrations } from './migration-files.ts';
import { ensureUuidv7, versionProblem } from './server-version.ts';
import { sessionOf } from './session.ts';

/** The result of a migration run, or the one sentence that says why it did not run. */
export type MigrationResult =
  /**
   * The warnings are points that somebody has to look at, a sentence each, where there are any; the file that was prepared
   * is left to be applied.
   */
  { ok: true; applied: string[]; warnings?: string[]; prepared?: string } | { ok: false; problem: string };

/** How a migration is run. */
export type MigrateOptions = {
  directory?: URL;
  /** Ends in front of the first file that something had to be copied for, when that has been done. */
  onlyPrepare?: boolean;
  /** Called behind each batch of what is copied, and behind each try that was given up. */
  onProgress?: (progress: MigrationProgress) => void;
};

/** Any constant does, as long as every migrator of every version uses this one. */
const LOCK = '7210458331';

/**
 * Files that are prepared in front of an earlier switch as well, behind which everybody would wait for it. The file that makes
 * their function makes only functions, which need nothing of what is between.
 */
const AHEAD = [
  {
    file: '0030-by-week.sql',
    madeBy: '0029-before-weeks.sql',
    functions: 'prepare_weeks, first_id_at',
  },
];

/** How often the partitions of the coming weeks are tried, half a minute in all. */
const WEEKS_TRIES = 60;

/**
 * Brings a database to the schema of this version: each numbered file once, in a transaction of its own, forward only,
 * and what a file has to have copied before in batches. Killed at any moment, it goes on where it was. Any number of
 * processes may do this at the same moment. Leaves the schema of a later version as it is where this one may run on it: a
 * deploy that is taken back migrates first, too.
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<MigrationResult> {
  return withMigrations(url, options.directory, async (client, migrations) => {
    const applied: string[] = [];
    const warnings: string[] = [];
    // By the class of its code, as its severity is a translated word.
    client.on('notice', ({ code, message }) => {
      if (code?.startsWith('01') && message !== undefined) warnings.push(message);
    });
    const batches = new Batches();
    const told = () => ({ applied, ...(warnings.length > 0 ? { warnings } : {}) });
    // Every step is decided again under the lock, since another migrator may have been faster.
    for (;;) {
      const step = await migrateOnce(client, migrations, batches, options.onlyPrepare);
      if ('later' in step) {
        warnings.push(...warningsOf(step.later));
        const problem = await makeWeeks(client);
        return problem === undefined ? { ok: true, ...told() } : { ok: false, problem };
      }
      if ('prepared' in step) return { ok: true, ...told(), prepared: step.prepared };
      if ('problem' in step) return { ok: false, problem: step.problem };
      if ('applied' in step) {
        applied.push(step.applied);
        batches.begin();
        continue;
      }
      options.onProgress?.(step);
      if ('waitsFor' in step && batches.isTired())
        return { ok: false, problem: await describeWait(client, step.waitsFor) };
      await batches.rest();
    }
  });
}

/**
 * Says whether a database has the schema of this version, or of a later one that this version may run on: an old process is
 * started again in the middle of a deploy, and all of them after one that was taken back. Changes nothing.
 */
export async function pendingMigrations(
  url: string,
  options: { directory?: URL } = {},
): Promise<MigrationResult> {
  return withMigrations(url, options.directory, async (client, migrations) => {
    const { rows } = await client.query<{ there: boolean }>(
      `select to_regclass('schema_migrations') is not null as there`,
    );
    const done: Applied = rows[0]?.there === true ? await appliedFiles(client) : new Map();
    const problem = isOfEarlierFiles(done, migrations) ? undefined : driftProblem(migrations, done);
    if (problem !== undefined) return { ok: false, problem };
    const missing = migrations.find(({ name }) => !done.has(name));
    if (missing === undefined) {
      const warnings = warningsOf(laterThan(migrations, done));
      return { ok: true, applied: [], ...(warnings.length > 0 ? { warnings } : {}) };
    }
    return {
      ok: false,
      problem: `The database lacks the migration ${missing.name}: run \`node dist/main.js migrate\` first.`,
    };
  });
}

async function withMigrations(
  url: string,
  directory: URL | undefined,
  act: (client: pg.Client, migrations: readonly Migration[]) => Promise<MigrationResult>,
): Promise<MigrationResult> {
  const migrations = await readMigrations(directory);
  const unclear = filesProblem(migrations);
  if (unclear !== undefined) return { ok: false, problem: unclear };
  // A limit that an operator has set for requests would end a long step of a migration each time that it is tried.
  const client = new pg.Client({
    ...sessionOf(url, { statement_timeout: '0' }),
    application_name: 'redrive migrate',
  });
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

type Step =
  | { applied: string }
  | { problem: string }
  | { later: string[] }
  | { prepared: string }
  | MigrationProgress;

async function migrateOnce(
  client: pg.Client,
  migrations: readonly Migration[],
  batches: Batches,
  onlyPrepare = false,
): Promise<Step> {
  let next: Migration | undefined;
  // What is looked at behind a lock is what was committed before it, whatever the database says.
  await client.query('begin isolation level read committed');
  try {
    // Given back by the end of the transaction, however that comes: a killed migrator blocks nobody.
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await ensureUuidv7(client);
    await createTable(client);
    const done = await appliedFiles(client);
    if (isOfEarlierFiles(done, migrations)) {
      const refused = await adopt(client, done, migrations);
      await client.query(refused ? 'rollback' : 'commit');
      return refused ?? { applied: ADOPTED };
    }
    const problem = driftProblem(migrations, done);
    next = migrations.find((migration) => !done.has(migration.name));
    if (problem === undefined && next !== undefined) {
      await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
      const step = await prepareNext(client, migrations, next, batches, onlyPrepare);
      if (step) {
        await client.query('commit');
        return step;
      }
      await client.query(next.sql);
      await noteApplied(client, next);
    }
    await client.query('commit');
    if (problem !== undefined) return { problem };
    return next === undefined ? { later: laterThan(migrations, done) } : { applied: next.name };
  } catch (error) {
    await client.query('rollback').catch(() => {});
    if (next === undefined || !isWithoutLock(error)) throw error;
    return { waitsFor: next.name };
  }
}

/** Has a file prepared by one more batch; undefined when it is to be applied now. */
async function prepareNext(
  client: pg.Client,
  migrations: readonly Migration[],
  next: Migration,
  batches: Batches,
  onlyPrepare: boolean,
): Promise<Step | undefined> {
  if (next.behind === undefined) return undefined;
  // The function may have something to say where nothing follows it soon.
  await client.query(`select set_config('redrive.only_prepare', $1, true)`, [onlyPrepare ? 'on' : 'off']);
  const batch = await batches.next(client, next.behind);
  if (!batch.done) return { before: next.name, ...batch };
  if (!onlyPrepare) return undefined;
  return (await prepareAhead(client, migrations, next, batches)) ?? { prepared: next.name };
}

/** Has files behind a switch prepared in front of it; undefined when nothing is left to be prepared. */
async function prepareAhead(
  client: pg.Client,
  migrations: readonly Migration[],
  { name }: Migration,
  batches: Batches,
): Promise<Step | undefined> {
  for (const { file, madeBy, functions } of AHEAD) {
    const later = migrations.find((each) => each.name === file && each.name > name);
    const maker = migrations.find((each) => each.name === madeBy && each.name > name);
    if (later?.behind === undefined || maker === undefined) continue;
    // They are there in this transaction alone: nobody sees them, and their own file makes them when its turn comes.
    await client.query(maker.sql);
    const batch = await batches.next(client, later.behind);
    await client.query(`drop function ${functions}`);
    if (!batch.done) return { before: file, ...batch };
  }
  return undefined;
}

/** Makes partitions ahead; waits for a moment in which nobody else changes them. */
async function makeWeeks(client: pg.Client): Promise<string | undefined> {
  const inTransaction: InTransaction = async (work) => {
    await client.query('begin isolation level read committed');
    try {
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    }
  };
  for (let tries = 1; ; tries += 1)
    try {
      const { kept, failed } = await keepWeeks(client, inTransaction);
      await analyzeKept(client, inTransaction, kept);
      if (failed !== undefined) throw failed;
      return undefined;
    } catch (error) {
      if (!isWithoutLock(error)) throw error;
      if (tries === WEEKS_TRIES)
        return 'The partitions of the coming weeks could not be made, since others hold their tables: end the oldest transactions of this database, and run `migrate` again.';
      await delay(AFTER_REFUSAL_MS);
    }
}

function warningsOf(later: readonly string[]): string[] {
  if (later.length === 0) return [];
  return [
    `This database has been migrated for a later version (${later.join(', ')}), whose schema this one may run on.`,
  ];
}

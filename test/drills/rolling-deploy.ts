import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Drill, type DrillPlan, type DrillResult } from './drill.ts';
import { rowsOf } from './statement.ts';
import { earlier, present, takesOverFrom, type Version } from './version.ts';

/**
 * Puts this version in the place of the one before it, under load, as a deploy does: the migrations first, while the old
 * processes go on; then the API; then one worker after the other, both versions at work on the same operation. Where a
 * migration takes something over, on which the version before does not run, everything is replaced at once behind it.
 */
export async function rollingDeploy(plan: DrillPlan): Promise<DrillResult> {
  const before = await earlier();
  try {
    const drill = await Drill.start(plan, { version: before, migrated: (url) => migrateTo(before, url) });
    try {
      return await deploy(drill, before, present(plan.workflowBundle));
    } finally {
      await drill.stop();
    }
  } finally {
    await before.remove();
  }
}

async function deploy(drill: Drill, before: Version, next: Version): Promise<DrillResult> {
  const { parts } = drill;
  const takesOver = await takesOverFrom(before, next);
  drill.figures.migrationsBefore = await countMigrations(parts.postgres.directUrl());
  await drill.reaches(0.15);
  if (takesOver) await migrateTo(next, parts.databaseUrl, 'prepare');
  drill.say('what can be prepared is prepared, the old processes go on');
  await drill.reaches(0.3);
  await migrateTo(next, parts.databaseUrl);
  drill.figures.migrationsAfter = await countMigrations(parts.postgres.directUrl());
  if (takesOver) await replaceAtOnce(drill, next);
  else await replaceInTurn(drill, next);
  return drill.judge();
}

async function replaceInTurn(drill: Drill, next: Version): Promise<void> {
  const { fleet } = drill;
  drill.say('the schema is migrated, the old processes go on');
  await fleet.startApi(next);
  drill.say('the API is the new one');
  const old = fleet.workers;
  for (let n = 1; n <= old; n++) {
    await fleet.startWorker(next);
    await drill.reaches(0.3 + (0.4 * n) / (old + 1));
    await fleet.stopOldestWorker();
    drill.say(`${n} of ${old} workers are new ones`);
  }
}

/** The old processes begin nothing from here on: new ones take their places, and then they are stopped. */
async function replaceAtOnce(drill: Drill, next: Version): Promise<void> {
  const { fleet } = drill;
  const since = performance.now();
  drill.say('the schema is migrated, the old processes only finish what they hold');
  const old = fleet.workers;
  await Promise.all([fleet.startApi(next), ...Array.from({ length: old }, () => fleet.startWorker(next))]);
  drill.figures.gapSeconds = Math.round((performance.now() - since) / 100) / 10;
  drill.say('the new processes are there');
  await Promise.all(Array.from({ length: old }, () => fleet.stopOldestWorker()));
  drill.say('the old ones are gone');
}

/** Runs the migrations of a version by its own code, as its job does. */
async function migrateTo({ root }: Version, url: string, ...how: 'prepare'[]): Promise<void> {
  const { PATH = '', HOME = '' } = process.env;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', 'src/main.ts', 'migrate', ...how], {
    cwd: fileURLToPath(root),
    // It asks for the key of the database that it is given, and opens nothing with it.
    env: { PATH, HOME, DATABASE_URL: url, REDRIVE_MASTER_KEY: '0'.repeat(64) },
  });
}

async function countMigrations(url: string): Promise<number> {
  const [row] = await rowsOf<{ files: number }>(url, 'select count(*)::int as files from schema_migrations');
  return row?.files ?? 0;
}

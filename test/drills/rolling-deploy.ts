import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Drill, type DrillPlan, type DrillResult } from './drill.ts';
import { rowsOf } from './statement.ts';
import { earlier, present, type Version } from './version.ts';

/**
 * Puts this version in the place of the one before it, under load, as a deploy does: the migrations first, while the old
 * processes go on; then the API; then one worker after the other, both versions at work on the same operation.
 */
export async function rollingDeploy(plan: DrillPlan): Promise<DrillResult> {
  const before = await earlier();
  try {
    const drill = await Drill.start(plan, { version: before, migrated: (url) => migrateTo(before, url) });
    try {
      return await deploy(drill, present(plan.workflowBundle));
    } finally {
      await drill.stop();
    }
  } finally {
    await before.remove();
  }
}

async function deploy(drill: Drill, next: Version): Promise<DrillResult> {
  const { fleet, parts } = drill;
  drill.figures.migrationsBefore = await countMigrations(parts.postgres.directUrl());
  await drill.reaches(0.15);
  await migrateTo(next, parts.databaseUrl);
  drill.figures.migrationsAfter = await countMigrations(parts.postgres.directUrl());
  drill.say('the schema is migrated, the old processes go on');
  await drill.reaches(0.3);
  await fleet.startApi(next);
  drill.say('the API is the new one');
  const old = fleet.workers;
  for (let n = 1; n <= old; n++) {
    await fleet.startWorker(next);
    await drill.reaches(0.3 + (0.4 * n) / (old + 1));
    await fleet.stopOldestWorker();
    drill.say(`${n} of ${old} workers are new ones`);
  }
  return drill.judge();
}

/** Runs the migrations of a version by its own code, as its job does. */
async function migrateTo({ root }: Version, url: string): Promise<void> {
  const { PATH = '', HOME = '' } = process.env;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', 'src/main.ts', 'migrate'], {
    cwd: fileURLToPath(root),
    // It asks for the key of the database that it is given, and opens nothing with it.
    env: { PATH, HOME, DATABASE_URL: url, REDRIVE_MASTER_KEY: '0'.repeat(64) },
  });
}

async function countMigrations(url: string): Promise<number> {
  const [row] = await rowsOf<{ files: number }>(url, 'select count(*)::int as files from schema_migrations');
  return row?.files ?? 0;
}

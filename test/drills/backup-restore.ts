import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChaosParts, newDataDir, startPostgres } from '../chaos/chaos-parts.ts';
import { eventually } from '../support/eventually.ts';
import { Drill, type DrillPlan, type DrillResult } from './drill.ts';
import { beginAs, copyRunning, directoryFor } from './physical-copy.ts';
import { rowsOf } from './statement.ts';
import { present } from './version.ts';

/** How the server is lost: after the service was stopped and the whole log archived, or at any moment. */
export type Loss = 'planned' | 'sudden';

/** How long a commit may be out of the archive, in a sudden loss. */
const ARCHIVED_WITHIN_S = 2;

/**
 * Takes a backup under load, loses the server and everything on it later, restores the backup and the archived log into an
 * empty server, and lets the service go on there. After a planned move nothing is sent twice but what was in flight; after
 * a sudden loss what was done since the last archived commit is done again, under the same ids.
 */
export async function backupRestore(plan: DrillPlan, loss: Loss = 'planned'): Promise<DrillResult> {
  let archive = '';
  const drill = await Drill.start(plan, {
    prepared: async (parts) => {
      archive = await archived(parts);
    },
  });
  const { postgres } = drill.parts;
  const dataDir = await newDataDir();
  try {
    await drill.reaches(0.1);
    const copyingSince = performance.now();
    await copyRunning(postgres.directUrl(), postgres.dataDir(), dataDir);
    drill.figures.backupMs = Math.round(performance.now() - copyingSince);
    drill.say('the backup is taken');
    await drill.reaches(0.7);
    await drill.fleet.stop(loss === 'planned' ? 'SIGTERM' : 'SIGKILL');
    drill.say(loss === 'planned' ? 'the service is stopped' : 'everything is lost');
    if (loss === 'planned') await wholeLogArchived(postgres.directUrl());
    const lostAt = Date.now();
    const awaySince = performance.now();
    await postgres.kill();
    await rm(join(postgres.dataDir(), 'postgres'), { recursive: true, force: true });

    await beginAs(dataDir, 'recovery', { restore_command: `cp "${archive}/%f" "%p"` });
    const restored = await startPostgres(dataDir);
    postgres.replaceBy(restored, dataDir);
    await eventually('the restored server takes writes', () => takesWrites(restored.url), {
      withinMs: 120_000,
    });
    drill.figures.restoredMs = Math.round(performance.now() - awaySince);
    const lost = { from: await lastRecorded(restored.url), until: lostAt };
    if (loss === 'sudden') drill.figures.lostMs = lost.until - lost.from;
    drill.say('the backup is restored');
    await drill.fleet.startApi(present(plan.workflowBundle));
    for (let n = 0; n < plan.workers; n++) await drill.fleet.startWorker(present(plan.workflowBundle));
    return await drill.judge(loss === 'sudden' ? lost : undefined);
  } finally {
    await drill.stop();
    await rm(dataDir, { recursive: true, force: true });
    if (archive !== '') await rm(archive, { recursive: true, force: true });
  }
}

/** Lets the server archive its log, and returns where to. */
async function archived({ postgres }: ChaosParts): Promise<string> {
  const directory = await directoryFor(postgres.dataDir(), join(postgres.dataDir(), 'archive'));
  for (const [name, value] of Object.entries({
    archive_mode: 'on',
    archive_command: `test ! -f "${directory}/%f" && cp "%p" "${directory}/%f.part" && mv "${directory}/%f.part" "${directory}/%f"`,
    archive_timeout: `${ARCHIVED_WITHIN_S}s`,
  }))
    await rowsOf(postgres.directUrl(), `alter system set ${name} = '${value}'`);
  // The first of these takes a start.
  await postgres.kill();
  await postgres.restart();
  return directory;
}

/** Waits until everything that was committed is in the archive. */
async function wholeLogArchived(url: string): Promise<void> {
  const [switched] = await rowsOf<{ name: string }>(url, 'select pg_walfile_name(pg_switch_wal()) as name');
  await eventually(
    'the log is archived',
    async () => {
      const [row] = await rowsOf<{ last: string }>(
        url,
        'select last_archived_wal as last from pg_stat_archiver',
      );
      return (row?.last ?? '') >= (switched?.name ?? '');
    },
    { withinMs: 60_000 },
  );
}

async function takesWrites(url: string): Promise<boolean> {
  const [row] = await rowsOf<{ replaying: boolean }>(url, 'select pg_is_in_recovery() as replaying');
  return row?.replaying === false;
}

/** When the last attempt ended that a server knows of, in milliseconds of the wall clock. */
async function lastRecorded(url: string): Promise<number> {
  const [row] = await rowsOf<{ at: number }>(
    url,
    `select coalesce(ceil(extract(epoch from max(started_at + duration_ms * interval '1 millisecond')) * 1000), 0)::float8 as at
     from attempts`,
  );
  return row?.at ?? 0;
}

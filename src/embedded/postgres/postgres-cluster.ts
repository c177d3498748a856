import { execFile } from 'node:child_process';
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  type EndingStep,
  endProcess,
  exists,
  processesWithArguments,
  processesWorkingIn,
} from '../own-processes.ts';
import { StartupProblem } from '../startup-problem.ts';
import type { Step } from '../steps.ts';
import type { Account } from './postgres-account.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';

/** The user that owns the cluster. */
export const USER = 'redrive';

const SESSIONS_END_WITHIN_MS = 30_000;

/** Fast shutdown first: it ends sessions and writes a checkpoint. Immediate shutdown is what a crash would do. */
export const ENDING: readonly EndingStep[] = [
  { signal: 'SIGINT', waitMs: 30_000 },
  { signal: 'SIGQUIT', waitMs: 10_000 },
];

/** A cluster in a folder, whose it is, and by which it is made and run. */
export type Cluster = {
  binaries: PostgresBinaries;
  home: string;
  data: string;
  password: string;
  account: Account | undefined;
};

/** Made under another name and then moved, so that a start that is killed half way leaves no half cluster. */
export async function createCluster(
  { binaries, home, data, password, account }: Cluster,
  step: Step,
): Promise<void> {
  step.doing('creating the database cluster');
  const unfinished = join(home, 'data.unfinished');
  const passwordFile = join(home, 'password.unfinished');
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account !== undefined) await chown(passwordFile, account.uid, account.gid);
  try {
    const args = [
      '-D',
      unfinished,
      '-U',
      USER,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
    ];
    await promisify(execFile)(binaries.initdb, [...args, ...localeOf(binaries)], {
      cwd: home,
      env: environment(),
      ...account,
    });
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new StartupProblem(
      `initdb could not create a database cluster in ${home}: ${stderr.trim() || message}`,
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(unfinished, data);
}

/** Texts in the order of their code points, upper and lower case of all of Unicode. */
function localeOf({ major }: PostgresBinaries): string[] {
  // Before Postgres 17 only the operating system knows such a locale.
  if (major < 17) return ['--locale=C', '--lc-ctype=C.UTF-8'];
  return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
}

/** Has a cluster that is there ready to be started: of this version, and with nobody left who works in it. */
export async function prepareExisting(data: string, { major }: PostgresBinaries, step: Step): Promise<void> {
  const version = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  if (Number(version) !== major) {
    throw new StartupProblem(
      `The data in ${data} was written by Postgres ${version}, and this is Postgres ${major}: set REDRIVE_DATA_DIR to another directory, or move the data with pg_dump first.`,
    );
  }
  for (const pid of await processesWithArguments('-D', data)) {
    step.doing('ending the server that a killed process left behind');
    if (await endProcess(pid, ENDING)) continue;
    throw new StartupProblem(
      `A Postgres server that was left behind does not end (process ${pid}): end it by \`kill -QUIT ${pid}\` and start again.`,
    );
  }
  await sessionsEnded(data, step);
  await removeLeftLock(data);
}

/** A server that was killed leaves sessions, which notice that and end: until then they may write. */
async function sessionsEnded(data: string, step: Step): Promise<void> {
  const deadline = performance.now() + SESSIONS_END_WITHIN_MS;
  for (;;) {
    const left = await processesWorkingIn(data);
    if (left.length === 0) return;
    step.doing('waiting for the sessions of a killed server to end');
    if (performance.now() > deadline) {
      throw new StartupProblem(
        `Sessions of a Postgres server that was killed do not end (processes ${left.join(', ')}): end them by \`kill ${left.join(' ')}\` and start again.`,
      );
    }
    await delay(20);
  }
}

/**
 * Postgres refuses to start while the process id in a lock file is in use, be it by somebody else or by the killed
 * server itself, which nobody has collected yet. None of its sessions is left here, so that its lock protects nothing.
 */
async function removeLeftLock(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(lock, 'utf8').catch(() => ''), 10);
  if (Number.isInteger(pid) && exists(pid)) await rm(lock);
}

/** Nothing of our own environment: it holds keys, and variables such as PGDATA that would change what is started. */
export function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };
}

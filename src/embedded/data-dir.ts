import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, startMark } from './own-processes.ts';
import { StartupProblem } from './startup-problem.ts';

/** A data directory that no other running copy uses. */
export type DataDir = {
  path: string;
  /** Tells a copy that is starting that this one is about to end, and worth waiting for. */
  announceStop(): Promise<void>;
  release(): Promise<void>;
};

type Holder = { pid: number; mark: string | undefined; stopping: boolean };

/** A parent that was killed is noticed by its child within this time; then the child lets go by itself. */
const WAIT_FOR_RUNNING_MS = 1_500;
const WAIT_FOR_STOPPING_MS = 45_000;
const GUARD_ABANDONED_AFTER_MS = 10_000;

/** Makes the data directory where there is none, and keeps other copies out of it until `release`. */
export async function openDataDir(directory: string): Promise<DataDir> {
  const path = await makeDirectory(directory);
  const lock = join(path, 'lock');
  const own = `${lock}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const mark = await startMark(process.pid);
  const write = (stopping: boolean) =>
    writeFile(own, JSON.stringify({ pid: process.pid, mark, stopping } satisfies Holder));
  try {
    await write(false);
  } catch (error) {
    throw notWritable(directory, error);
  }
  try {
    await acquire({ lock, own, directory: path });
  } finally {
    await rm(own, { force: true });
  }
  let released: Promise<void> | undefined;
  return {
    path,
    async announceStop() {
      await write(true);
      // Replaced as a whole: a lock that is read half written would pass for a damaged one.
      await rename(own, lock);
    },
    release() {
      // Once only: after that the lock may be that of another copy.
      released ??= rm(lock, { force: true });
      return released;
    },
  };
}

async function makeDirectory(directory: string): Promise<string> {
  try {
    const made = await mkdir(directory, { recursive: true });
    // Nobody else: as root, Postgres runs under another account, and has its cluster elsewhere.
    if (made !== undefined) await chmod(directory, 0o700);
    return await realpath(directory);
  } catch (error) {
    throw notWritable(directory, error);
  }
}

function notWritable(directory: string, error: unknown): StartupProblem {
  const { code } = error as NodeJS.ErrnoException;
  return new StartupProblem(
    `The data directory ${directory} cannot be written (${code}): make it writable, or set REDRIVE_DATA_DIR to another directory.`,
  );
}

type Files = { lock: string; own: string; directory: string };

async function acquire(files: Files): Promise<void> {
  const { lock, own, directory } = files;
  const startedAt = performance.now();
  for (;;) {
    // A link, not a new file: a reader of the lock sees all of it.
    if (await linked(own, lock)) return;
    const text = await readFile(lock, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const holder = parseHolder(text);
    if (holder === undefined || !(await holds(holder))) {
      await removeStale(files, text);
      continue;
    }
    const patience = holder.stopping ? WAIT_FOR_STOPPING_MS : WAIT_FOR_RUNNING_MS;
    if (performance.now() - startedAt > patience) {
      throw new StartupProblem(
        `Another copy of Redrive (process ${holder.pid}) is using the data directory ${directory}: stop it first, or set REDRIVE_DATA_DIR to another directory.`,
      );
    }
    await delay(100);
  }
}

/**
 * Removes a lock of a dead process. Only one start at a time may do so, and only after another look: otherwise a
 * slower one would remove the new lock of a faster one.
 */
async function removeStale({ lock, own }: Files, text: string): Promise<void> {
  const guard = `${lock}.removing`;
  if (!(await linked(own, guard))) {
    const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > GUARD_ABANDONED_AFTER_MS) await rm(guard, { force: true });
    await delay(20);
    return;
  }
  try {
    if ((await readFile(lock, 'utf8').catch(() => undefined)) === text) await rm(lock);
  } finally {
    await rm(guard, { force: true });
  }
}

/** Gives a file a second name, which nobody else may have. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holds(holder: Holder): Promise<boolean> {
  return (await isRunning(holder.pid)) && (await startMark(holder.pid)) === holder.mark;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    return typeof holder.pid === 'number' ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

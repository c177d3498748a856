import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A signal and how long a process gets to act on it. */
export type EndingStep = { signal: NodeJS.Signals; waitMs: number };

/**
 * The processes whose arguments contain these, one after another. Given a path of our own data directory among them
 * this proves that a process is ours, which a bare process id (it may have been used again) never does.
 */
export async function processesWithArguments(...sequence: readonly string[]): Promise<number[]> {
  const found = await (process.platform === 'linux' ? fromProc(sequence) : fromPs(sequence));
  return found.filter((pid) => pid !== process.pid);
}

/** The processes that work in a directory, as far as this can be seen: only on Linux. */
export async function processesWorkingIn(directory: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, index) => places[index] === directory).map(Number);
}

/** Whether a process exists and still runs; one that nobody has collected yet (a zombie) does not. */
export async function isRunning(pid: number): Promise<boolean> {
  if (!exists(pid)) return false;
  if (process.platform !== 'linux') return true;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && fieldsAfterName(stat)[0] !== 'Z';
}

/** Whether a process id is in use. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process was started, in a form that tells two users of the same process id apart. */
export async function startMark(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return stat === '' ? undefined : fieldsAfterName(stat)[19];
  }
  const mark = await ps('-o', 'lstart=', '-p', String(pid));
  return mark.trim() === '' ? undefined : mark.trim();
}

/** The process that a process was started by, or that has adopted it. */
export async function parentOf(pid: number): Promise<number | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return stat === '' ? undefined : Number(fieldsAfterName(stat)[1]);
  }
  const parent = Number.parseInt(await ps('-o', 'ppid=', '-p', String(pid)), 10);
  return Number.isNaN(parent) ? undefined : parent;
}

/** Whether a process is in the foreground of its terminal: what is typed there is meant for it. */
export async function inForeground(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    const fields = fieldsAfterName(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
    return fields[2] !== undefined && fields[2] === fields[5];
  }
  const [group, foreground] = (await ps('-o', 'pgid=,tpgid=', '-p', String(pid))).trim().split(/\s+/);
  return group !== undefined && group === foreground;
}

/** The name of the program that a process runs. */
export async function commandName(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    return name === '' ? undefined : name.trim();
  }
  const name = await ps('-o', 'comm=', '-p', String(pid));
  return name.trim() === '' ? undefined : basename(name.trim());
}

/** Sends the signals in turn until the process has ended; false when it outlived the last one. */
export async function endProcess(pid: number, steps: readonly EndingStep[]): Promise<boolean> {
  const mark = await startMark(pid);
  for (const { signal, waitMs } of steps) {
    if (mark === undefined || (await startMark(pid)) !== mark) return true;
    try {
      process.kill(pid, signal);
    } catch {
      return !(await isRunning(pid));
    }
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if (!(await isRunning(pid))) return true;
      await delay(20);
    }
  }
  return !(await isRunning(pid));
}

/** The fields of /proc/<pid>/stat from the state on: the name before them may hold spaces and brackets. */
function fieldsAfterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function fromProc(sequence: readonly string[]): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const matches = await Promise.all(
    pids.map(async (pid) => {
      // Gone in the meantime, or not ours to read: then it is not ours to end either.
      const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return args.some((_, at) => sequence.every((argument, offset) => args[at + offset] === argument));
    }),
  );
  return pids.filter((_, index) => matches[index]).map(Number);
}

async function fromPs(sequence: readonly string[]): Promise<number[]> {
  const wanted = sequence.join(' ');
  return (await ps('-axww', '-o', 'pid=,args='))
    .split('\n')
    .filter((line) => `${line} `.includes(` ${wanted} `))
    .map((line) => Number.parseInt(line, 10));
}

async function ps(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', args, { maxBuffer: 64e6 }).catch(() => ({ stdout: '' }));
  return stdout;
}

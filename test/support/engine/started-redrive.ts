import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { endProcess, isRunning, parentOf } from '../../../src/embedded/own-processes.ts';
import { eventually } from '../eventually.ts';

/** Redrive as `npm start` runs it, in a process of its own. */
export type StartedRedrive = {
  pid: number;
  output(): string;
  /** Waits until it has said this; fails with all it said when it ends before or takes too long. */
  says(text: string, withinMs: number): Promise<void>;
  /** Sends a signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** All processes below it, at this moment; only on Linux. */
  descendants(): Promise<number[]>;
};

/** Starts it with these variables of Redrive and no others; its output is no terminal. */
export function startRedrive(env: Record<string, string>): StartedRedrive {
  const { PATH = '', HOME = '', XDG_CACHE_HOME: cache } = process.env;
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    env: { PATH, HOME, ...(cache === undefined ? {} : { XDG_CACHE_HOME: cache }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let over = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      over = true;
      resolve();
    });
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    output: () => output,
    says: (text, withinMs) =>
      eventually(
        `it says "${text}"`,
        () => {
          if (over && !output.includes(text)) throw new Error(`it ended, having said: ${output}`);
          return output.includes(text);
        },
        { withinMs, otherwise: () => output },
      ),
    async end(signal) {
      child.kill(signal);
      await ended;
    },
    descendants: () => descendantsOf(pid),
  };
}

/** Which of these processes still run. */
export async function stillRunning(pids: readonly number[]): Promise<number[]> {
  const running = await Promise.all(pids.map(isRunning));
  return pids.filter((_, index) => running[index]);
}

/** Ends the processes that a failed test has left behind. */
export async function endAll(pids: readonly number[]): Promise<void> {
  await Promise.all(pids.map((pid) => endProcess(pid, [{ signal: 'SIGKILL', waitMs: 5_000 }])));
}

async function descendantsOf(root: number): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const)));
  const isBelow = (pid: number | undefined): boolean => pid === root || (!!pid && isBelow(parents.get(pid)));
  return pids.filter((pid) => pid !== root && isBelow(pid));
}

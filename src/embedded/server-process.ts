import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rename } from 'node:fs/promises';
import type { EndingStep } from './own-processes.ts';

/** A server of ours that runs as a child process. */
export type ServerProcess = {
  pid: number;
  /** Settles, with the reason, when the process has ended; never rejects. */
  ended: Promise<string>;
  hasEnded(): boolean;
  /** Ends it by these signals in turn; the last resort is SIGKILL. */
  stop(steps: readonly EndingStep[]): Promise<void>;
};

/** The program to start, the account to start it as, and where its output goes. */
export type ServerCommand = {
  command: string;
  args: readonly string[];
  cwd: string;
  env: Record<string, string>;
  logFile: string;
  account?: { uid: number; gid: number };
};

/** Starts a server in a process group of its own, with its output in a log file. */
export async function startServerProcess(server: ServerCommand): Promise<ServerProcess> {
  await rename(server.logFile, `${server.logFile}.1`).catch(() => {});
  const log = await open(server.logFile, 'w', 0o600);
  try {
    return await supervise(spawnPrivately(server, log.fd), server.command);
  } finally {
    await log.close();
  }
}

/** Its files are for its own account alone: it inherits our umask, which is changed for this one turn. */
function spawnPrivately(server: ServerCommand, log: number): ChildProcess {
  const umask = process.umask(0o077);
  try {
    return spawn(server.command, server.args, {
      cwd: server.cwd,
      env: server.env,
      ...server.account,
      stdio: ['ignore', log, log],
      // Otherwise a terminal's Ctrl-C reaches it at the same time as us, and it is gone before we have shut down.
      detached: true,
    });
  } finally {
    process.umask(umask);
  }
}

/** The last lines that a server wrote, for an error that has to name its reason. */
export async function lastLogLines(logFile: string, count: number): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

async function supervise(child: ChildProcess, command: string): Promise<ServerProcess> {
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      over = true;
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command} has no process id`);
  return {
    pid,
    ended,
    hasEnded: () => over,
    async stop(steps) {
      for (const { signal, waitMs } of [...steps, { signal: 'SIGKILL', waitMs: 5_000 } as const]) {
        if (over) return;
        child.kill(signal);
        await within(ended, waitMs);
      }
    },
  };
}

async function within(ended: Promise<string>, waitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    ended,
    new Promise((resolve) => {
      timer = setTimeout(resolve, waitMs);
    }),
  ]);
  clearTimeout(timer);
}

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The Node processes of a run: none of them may end by itself, and none is left behind. */
export interface Children {
  /** Starts a program of the repository. */
  start(file: string, args: string[], options?: StartOptions): ChildProcess;
  /** Starts a script of this directory that answers questions over IPC; settles with its first message. */
  startAnswering<Message>(file: string): Promise<{ child: ChildProcess; first: Message; ask: Ask }>;
  /** Runs a script of this directory until it ends; returns the JSON that it prints. */
  run<Result>(file: string, args: string[]): Promise<Result>;
  end(child: ChildProcess, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** The last started first. */
  endAll(): Promise<void>;
  /** Rejects when one has ended that was not told to. */
  failed: Promise<never>;
}

/** Options of a program of the repository. */
export interface StartOptions {
  flags?: string[];
  heard?: Heard;
  /** In addition to the environment that all processes have. */
  env?: NodeJS.ProcessEnv;
}

/** Takes the lines that a process prints. */
export type Heard = (pid: number, line: string) => void;

/** Asks a process over IPC; answers may come in any order. */
export type Ask = (ask: string, about?: string) => Promise<unknown>;

/** A process that drains for longer than this is ended all the same. */
const END_WITHIN_MS = 20_000;

/** Makes it; all processes get this environment. */
export function createChildren(env: NodeJS.ProcessEnv): Children {
  const all = new Set<ChildProcess>();
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Those who wait for it hear of it; it must not end this process before all is closed.
  failed.catch(() => {});
  const own = (child: ChildProcess, name: string): ChildProcess => {
    all.add(child);
    child.once('exit', (code, signal) => {
      if (all.delete(child)) fail(new Error(`${name} has ended (${signal ?? `code ${code}`})`));
    });
    return child;
  };
  const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

  const end: Children['end'] = async (child, signal = 'SIGTERM') => {
    if (!all.delete(child)) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
    await exit;
    clearTimeout(late);
  };
  return {
    failed,
    end,
    start(file, args, { flags = [], heard, env: more = {} } = {}) {
      const child = spawn(process.execPath, [...flags, here(`../${file}`), ...args], {
        env: { ...env, ...more },
        stdio: ['ignore', heard ? 'pipe' : 'ignore', 'inherit'],
      });
      if (heard && child.stdout)
        createInterface({ input: child.stdout }).on('line', (line) => heard(child.pid ?? 0, line));
      return own(child, args.join(' '));
    },
    async startAnswering<Message>(file: string) {
      const child = own(fork(here(file), { execArgv: ['--import', 'tsx'], env }), file);
      const [first] = await once(child, 'message');
      return { child, first: first as Message, ask: questions(child) };
    },
    async run(file, args) {
      const child = spawn(process.execPath, ['--import', 'tsx', here(file), ...args], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      all.add(child);
      const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      all.delete(child);
      if (code !== 0) throw new Error(`${file} ended with ${code}`);
      return JSON.parse(printed);
    },
    async endAll() {
      for (const child of [...all].reverse()) await end(child);
    },
  };
}

function questions(of: ChildProcess): Ask {
  let asked = 0;
  const waiting = new Map<number, (value: unknown) => void>();
  // One that has ended is told nothing; who waits for its answer hears of its end.
  of.on('error', () => {});
  of.on('message', ({ n, value }: { n: number; value: unknown }) => {
    waiting.get(n)?.(value);
    waiting.delete(n);
  });
  return (ask, about) =>
    new Promise((resolve) => {
      asked += 1;
      waiting.set(asked, resolve);
      of.send({ n: asked, ask, of: about });
    });
}

/** Waits for a condition. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50);
}

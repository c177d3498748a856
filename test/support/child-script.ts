import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Where those are that the test run has bundled, and their names. */
const BUNDLED: Record<string, string> = {
  [new URL('child/host.ts', import.meta.url).href]: 'host.js',
  [new URL('child/service.ts', import.meta.url).href]: 'service.js',
};

/** V8 optimises nothing in what is bundled: such a process is killed before that pays (a seed of chaos costs 14 % less). */
const UNOPTIMISED = '--max-opt=1';

/** A TypeScript file that runs in a process of its own. */
export type ChildScript = {
  process: ChildProcess;
  /** The first line on its standard output, or an error with all it wrote when it ends before. */
  firstLine: Promise<string>;
  /** How it ended. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>;
};

/**
 * Starts a script; `env` is added to a minimal environment of its own. A script of another checkout runs in the folder
 * `root` of that one. With `messages` it can be sent some, and can answer them. One that the run has bundled needs no
 * loader, which would cost a process more time and memory than the engine does. It has `openFiles` at most.
 */
export function startChildScript(
  script: URL,
  options: {
    args?: readonly string[];
    env?: Record<string, string>;
    root?: URL;
    messages?: true;
    openFiles?: number;
  } = {},
): ChildScript {
  const { PATH = '', HOME = '' } = process.env;
  const cache = process.env.XDG_CACHE_HOME;
  const file = fileURLToPath(bundled(script));
  const flags = file.endsWith('.ts') ? ['--import', 'tsx'] : [UNOPTIMISED];
  const command = [process.execPath, ...flags, file, ...(options.args ?? [])];
  const [program = '', ...args] =
    options.openFiles === undefined
      ? command
      : ['sh', '-c', `ulimit -n ${options.openFiles} && exec "$0" "$@"`, ...command];
  const child = spawn(program, args, {
    cwd: fileURLToPath(options.root ?? new URL('../../', import.meta.url)),
    env: { PATH, HOME, ...(cache !== undefined && { XDG_CACHE_HOME: cache }), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.messages ? (['ipc'] as const) : [])],
  });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('a script has pipes for its output');
  let output = '';
  for (const stream of [stdout, stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>(
    (resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, output }));
    },
  );
  const firstLine = new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).once('line', resolve);
    child.once('close', () => reject(new Error(`ended before it said anything: ${output}`)));
  });
  // A caller that only waits for the end does not ask for the line.
  firstLine.catch(() => {});
  return { process: child, firstLine, ended };
}

function bundled(script: URL): URL {
  const folder = process.env.REDRIVE_TEST_CHILDREN;
  const name = BUNDLED[script.href];
  return folder === undefined || name === undefined ? script : new URL(name, folder);
}

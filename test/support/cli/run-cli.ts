import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';

const BIN = fileURLToPath(new URL('../../../cli/bin/redrive.js', import.meta.url));
const PTY = fileURLToPath(new URL('./on_terminal.py', import.meta.url));

/** How a command is called. */
export interface CliOptions {
  /** Its whole environment, but for PATH. */
  env?: Record<string, string>;
  /** What it reads; nothing where left out. */
  input?: string;
  cwd?: string;
  /** Another one than that of this checkout. */
  bin?: string;
}

/** How a command ended, and what it wrote. */
export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command that runs: a process of its own, of the built command line. */
export interface RunningCli {
  process: ChildProcessWithoutNullStreams;
  stdout: () => string;
  stderr: () => string;
  /** Waits until standard error has this in it. */
  says: (text: string) => Promise<void>;
  ended: Promise<CliResult>;
}

/** Starts a command with no terminal. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  return started(process.execPath, [options.bin ?? BIN, ...args], options);
}

/** Starts a command on a terminal of its own: what it writes comes as standard output, what is written is typed. */
export function startOnTerminal(args: readonly string[], options: CliOptions = {}): RunningCli {
  return started('python3', [PTY, process.execPath, BIN, ...args], options, false);
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).ended;
}

function started(
  program: string,
  args: readonly string[],
  { env = {}, input = '', cwd }: CliOptions,
  endsInput = true,
): RunningCli {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // Who has ended reads nothing any more.
  child.stdin.on('error', () => {});
  if (input !== '') child.stdin.write(input);
  if (endsInput) child.stdin.end();
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    says: (text) =>
      eventually(`it says "${text}"`, () => `${stderr}${stdout}`.includes(text), {
        withinMs: 30_000,
        otherwise: () => `${stderr}${stdout}`,
      }),
    ended,
  };
}

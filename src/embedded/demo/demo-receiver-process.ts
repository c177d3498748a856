import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoPhase } from './demo-behaviour.ts';
import { DemoProblem } from './demo-problem.ts';
import type { ReceiverOrder, ReceiverWord, Tally } from './demo-receiver.ts';

/** The demo's receiver, which runs in a process of its own and ends with this one. */
export type DemoReceiver = {
  pid: number;
  /** The one behind it is the receiver's, too. */
  port: number;
  /** Ends the outage. */
  recover(): Promise<void>;
  /** Counts the deliveries that it has acknowledged so far. */
  tally(): Promise<Tally>;
  stop(): Promise<void>;
};

type StartOptions = { dataDir: string; phase: DemoPhase; port?: number; signal: AbortSignal };

const ANSWERS_WITHIN_MS = 10_000;
const ENDS_WITHIN_MS = 2_000;

/** Starts the receiver, on a port of its own choosing where none is given, and keeps the port for later starts. */
export async function startDemoReceiver({
  dataDir,
  phase,
  port,
  signal,
}: StartOptions): Promise<DemoReceiver> {
  // As this file is: compiled, or run from its source.
  const extension = extname(import.meta.url);
  const script = new URL(`./demo-receiver${extension}`, import.meta.url);
  const child = fork(fileURLToPath(script), [], {
    execArgv: extension === '.ts' ? ['--import', 'tsx'] : [],
    // Nothing of our environment, which holds keys.
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: tmpdir() },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Otherwise a terminal's Ctrl-C would end it while requests to it are still in flight.
    detached: true,
  });
  // An order that cannot be given to a process that is gone shows as an answer that does not come.
  child.on('error', () => {});
  try {
    const word = await ask(child, { do: 'listen', phase, ...(port === undefined ? {} : { port }) }, signal);
    if (port !== undefined && 'failed' in word && word.failed === 'EADDRINUSE')
      throw new DemoProblem(
        `another program has taken port ${port} or ${port + 1}, where its receiver was: end that program and start again`,
      );
    if (!('listening' in word)) throw unexpected(word);
    await keepPort(dataDir, word.listening);
    return {
      pid: child.pid ?? 0,
      port: word.listening,
      async recover() {
        const answer = await ask(child, { do: 'recover' }, signal);
        if (!('recovered' in answer)) throw unexpected(answer);
      },
      async tally() {
        const answer = await ask(child, { do: 'tally' }, signal);
        if (!('tally' in answer)) throw unexpected(answer);
        return answer.tally;
      },
      stop: () => end(child),
    };
  } catch (error) {
    await end(child);
    throw error;
  }
}

/** The port that an earlier start chose, to which the endpoints in the database point. */
export async function keptPort(dataDir: string): Promise<number | undefined> {
  const port = Number(await readFile(portFile(dataDir), 'utf8').catch(() => ''));
  return Number.isInteger(port) && port > 0 && port < 65_535 ? port : undefined;
}

async function keepPort(dataDir: string, port: number): Promise<void> {
  // Without embedded servers nobody has made the directory yet.
  await mkdir(dataDir, { recursive: true });
  await writeFile(portFile(dataDir), `${port}\n`);
}

function portFile(dataDir: string): string {
  return join(dataDir, 'demo-receiver-port');
}

/** Gives one order and waits for the word that answers it; nobody gives two at a time. */
async function ask(child: ChildProcess, order: ReceiverOrder, signal: AbortSignal): Promise<ReceiverWord> {
  const late = AbortSignal.timeout(ANSWERS_WITHIN_MS);
  const waiting = new AbortController();
  const until = { signal: AbortSignal.any([signal, late, waiting.signal]) };
  try {
    const answered = once(child, 'message', until);
    const ended = once(child, 'exit', until).then(() => {
      throw new DemoProblem('its receiver has ended');
    });
    // A failure to send is seen as an end or as silence.
    child.send(order, () => {});
    const [word] = (await Promise.race([answered, ended])) as [ReceiverWord];
    return word;
  } catch (error) {
    if (late.aborted && !signal.aborted) throw new DemoProblem('its receiver does not answer');
    throw error;
  } finally {
    waiting.abort();
  }
}

function unexpected(word: ReceiverWord): DemoProblem {
  return new DemoProblem(`its receiver failed (${'failed' in word ? word.failed : 'wrong answer'})`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
  await ended;
  clearTimeout(timer);
}

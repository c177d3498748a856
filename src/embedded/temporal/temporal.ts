import { mkdir, realpath } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SEARCH_ATTRIBUTES } from '../../temporal/search-attributes.ts';
import { freePorts } from '../free-port.ts';
import { type EndingStep, endProcess, processesWithArguments } from '../own-processes.ts';
import { lastLogLines, type ServerProcess, startServerProcess } from '../server-process.ts';
import { StartupProblem } from '../startup-problem.ts';
import type { Report, Step } from '../steps.ts';
import { temporalBinary } from './temporal-binary.ts';

/** A Temporal server of our own, for one machine. */
export type EmbeddedTemporal = {
  address: string;
  namespace: string;
  uiUrl: string;
  metricsUrl: string;
  pid: number;
  /** Settles with the reason when the server has ended, by `stop` or by itself. */
  ended: Promise<string>;
  stop(options?: { hurry?: boolean }): Promise<void>;
};

const ENDING: readonly EndingStep[] = [{ signal: 'SIGTERM', waitMs: 15_000 }];
const HURRIED_ENDING: readonly EndingStep[] = [{ signal: 'SIGTERM', waitMs: 2_000 }];

const DYNAMIC_CONFIG = {
  'matching.enableFairness': true,
};

const READY_WITHIN_MS = 60_000;
const START_ATTEMPTS = 4;

/** Starts the embedded Temporal server of a data directory, fetching its binary when this machine has none. */
export async function startEmbeddedTemporal(options: {
  dataDir: string;
  report: Report;
  /** The program to start; looked for when it is left out. */
  cli?: string | undefined;
  /** Where the program is looked for and kept (PATH, HOME, XDG_CACHE_HOME). */
  env?: NodeJS.ProcessEnv;
  /** Gives up fetching the program. */
  signal?: AbortSignal;
}): Promise<EmbeddedTemporal> {
  const step = options.report('Temporal');
  try {
    const { cli, env = process.env, signal = new AbortController().signal } = options;
    const binary = await temporalBinary({ ...(cli !== undefined && { cli }), env, step, signal });
    const started = await start(binary, options.dataDir, step);
    step.done(`ready on ${started.address}`);
    return started;
  } catch (error) {
    step.failed('did not start');
    throw error;
  }
}

async function start(binary: string, dataDir: string, step: Step): Promise<EmbeddedTemporal> {
  await mkdir(join(dataDir, 'temporal'), { recursive: true });
  // Two spellings of one directory must not hide a server that still has the file open.
  const home = await realpath(join(dataDir, 'temporal'));
  const database = join(home, 'temporal.db');
  for (const pid of await processesWithArguments('--db-filename', database)) {
    step.doing('ending the server that a killed process left behind');
    if (await endProcess(pid, [...ENDING, { signal: 'SIGKILL', waitMs: 5_000 }])) continue;
    throw new StartupProblem(
      `A Temporal server that was left behind does not end (process ${pid}): end it by \`kill -9 ${pid}\` and start again.`,
    );
  }
  step.doing('starting');
  const { server, ports } = await startServer({
    binary,
    home,
    database,
    logFile: join(dataDir, 'temporal.log'),
  });
  return {
    address: `127.0.0.1:${ports.frontend}`,
    namespace: 'default',
    uiUrl: `http://127.0.0.1:${ports.ui}`,
    metricsUrl: `http://127.0.0.1:${ports.metrics}/metrics`,
    pid: server.pid,
    ended: server.ended,
    stop: ({ hurry = false } = {}) => server.stop(hurry ? HURRIED_ENDING : ENDING),
  };
}

type Ports = { frontend: number; ui: number; http: number; metrics: number };
type Launch = { binary: string; home: string; database: string; logFile: string };

async function startServer(launch: Launch): Promise<{ server: ServerProcess; ports: Ports }> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await freePorts('frontend', 'ui', 'http', 'metrics');
    const server = await startServerProcess({
      command: launch.binary,
      args: serverArguments(launch.database, ports),
      cwd: launch.home,
      env: environment(),
      logFile: launch.logFile,
    });
    if (await answers(server, ports.http)) return { server, ports };
    const crashed = server.hasEnded();
    await server.stop(HURRIED_ENDING);
    // One of these ports, or one that the server chooses itself (it then crashes), was taken in between.
    if (crashed && attempt < START_ATTEMPTS) continue;
    const how = crashed ? `ended (${await server.ended}) while it started` : 'did not answer in time';
    const reason = await lastLogLines(launch.logFile, 3);
    throw new StartupProblem(`The Temporal server ${how}; it wrote to ${launch.logFile}: ${reason}`);
  }
}

function serverArguments(database: string, ports: Ports): string[] {
  return [
    ...['server', 'start-dev', '--db-filename', database, '--ip', '127.0.0.1', '--headless=false'],
    ...['--port', ports.frontend, '--ui-port', ports.ui, '--http-port', ports.http].map(String),
    ...['--metrics-port', String(ports.metrics), '--log-level', 'warn', '--log-format', 'json'],
    '--ui-disable-news-fetch',
    // As durable as the default journal, at twice its starts of workflows a second.
    ...['--sqlite-pragma', 'journal_mode=WAL'],
    // When the server starts, since a workflow that sets an unknown one is refused.
    ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ...Object.entries(DYNAMIC_CONFIG).flatMap(([name, value]) => [
      '--dynamic-config-value',
      `${name}=${value}`,
    ]),
  ];
}

/** Waits until the frontend knows the namespace and all search attributes; false when the server has ended instead. */
async function answers(server: ServerProcess, httpPort: number): Promise<boolean> {
  const url = `http://127.0.0.1:${httpPort}/cluster/namespaces/default/search-attributes`;
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!server.hasEnded() && performance.now() < deadline) {
    const attributes = await customAttributes(url).catch(() => undefined);
    if (attributes && SEARCH_ATTRIBUTES.every((name) => name in attributes)) return true;
    await delay(50);
  }
  return false;
}

async function customAttributes(url: string): Promise<Record<string, string>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  const { customAttributes: attributes = {} } = (await response.json()) as {
    customAttributes?: Record<string, string>;
  };
  return attributes;
}

/** Nothing of our own environment: it holds keys, and TEMPORAL_ variables that would change what is started. */
function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: homedir(), TMPDIR: tmpdir() };
}

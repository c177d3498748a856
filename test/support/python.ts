import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Python with some packages of its own. */
export interface Python {
  /** Runs a script with arguments; what it prints. */
  run(script: string, ...args: string[]): Promise<string>;
  /** Where a program is that one of the packages brought. */
  program(name: string): string;
  close(): Promise<void>;
}

/**
 * Installs packages, as `pip` names them, for one test file. Undefined, and said aloud, where there is no Python with
 * pip or no way to the packages; where CI is set that is a failure.
 */
export async function pythonWith(...packages: string[]): Promise<Python | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'redrive-python-'));
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', directory, ...packages]);
  } catch (error) {
    await close();
    if (process.env.CI) throw error;
    process.stderr.write(
      `\n  SKIPPED: no Python with ${packages.join(', ')}; what it would check stays unchecked here.\n\n`,
    );
    return undefined;
  }
  return {
    async run(script, ...args) {
      const env = { ...process.env, PYTHONPATH: directory };
      return (await run('python3', ['-c', script, ...args], { env })).stdout;
    },
    program: (name) => join(directory, 'bin', name),
    close,
  };
}

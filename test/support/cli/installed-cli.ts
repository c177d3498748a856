import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { use } from '../use.ts';

const run = promisify(execFile);

/** The folder of the package as it is published. */
const BUILT_CLI = fileURLToPath(new URL('../../../cli/dist/package/', import.meta.url));

/** A folder of somebody else in which the packed command line is installed, and nothing of this repository. */
export interface InstalledCli {
  directory: string;
  bin: string;
  /** What the package holds. */
  files: string[];
}

/** Packs and installs the command line for the tests of a file or `describe`; takes nothing from a network. */
export function useInstalledCli(): InstalledCli {
  return use(install, ({ directory }) => rm(directory, { recursive: true, force: true }));
}

async function install(): Promise<InstalledCli> {
  const directory = await mkdtemp(join(tmpdir(), 'redrive-installed-'));
  const npm = (...args: string[]) =>
    run('npm', args, { cwd: directory, env: { ...process.env, npm_config_cache: join(directory, '.npm') } });
  const packed = await npm('pack', BUILT_CLI, '--ignore-scripts', '--json', '--pack-destination', directory);
  const [{ filename, files }] = JSON.parse(packed.stdout) as [
    { filename: string; files: { path: string }[] },
  ];
  await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'somebody-elses' }));
  await npm('install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', join(directory, filename));
  return {
    directory,
    bin: join(directory, 'node_modules', '.bin', 'redrive'),
    files: files.map(({ path }) => path),
  };
}

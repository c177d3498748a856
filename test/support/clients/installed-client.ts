import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { use } from '../use.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The folder of the package as it is published. */
export const BUILT_CLIENT = join(ROOT, 'clients', 'typescript', 'dist');

/** A project of somebody else that has the packed client installed, and nothing of this repository. */
export interface Project {
  directory: string;
  /** The package as `npm pack` makes it. */
  tarball: string;
  /** Writes a file of it. */
  write(name: string, text: string): Promise<void>;
  /** Checks types as strictly as `strict` is, and makes a `.js` of each `.ts`; rejects with what the compiler says. */
  compile(): Promise<void>;
}

/** Builds, packs and installs the client for the tests of a file or `describe`; takes nothing from a network. */
export function useInstalledClient(): Project {
  return use(install, ({ directory }) => rm(directory, { recursive: true, force: true }));
}

async function install(): Promise<Project> {
  await run(process.execPath, ['scripts/client.mjs'], { cwd: ROOT });
  const directory = await mkdtemp(join(tmpdir(), 'redrive-project-'));
  const tarballs = new Map<string, string>();
  for (const [name, folder] of await packagesOf(BUILT_CLIENT)) {
    const { stdout } = await run(
      'npm',
      ['pack', folder, '--ignore-scripts', '--json', '--pack-destination', directory],
      { cwd: directory },
    );
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const plain = `${name.replace('@', '').replace('/', '-')}.tgz`;
    await rename(join(directory, filename), join(directory, plain));
    tarballs.set(name, plain);
  }
  const dependencies = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
  const write = (name: string, text: string) => writeFile(join(directory, name), text);
  await write('package.json', JSON.stringify({ name: 'somebody-elses', type: 'module', dependencies }));
  await write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        ...{ strict: true, target: 'es2023', module: 'nodenext', skipLibCheck: false },
        // The types of Node are all that it has of ours.
        ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules', '@types')] },
      },
      include: ['*.ts'],
    }),
  );
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: directory,
    // Of its own, and empty: what is installed is what was packed.
    env: { ...process.env, npm_config_cache: join(directory, '.npm') },
  });
  return {
    directory,
    tarball: join(directory, tarballs.get('@redrive/client') ?? ''),
    write,
    async compile() {
      const tsc = join(ROOT, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
      await run(process.execPath, [tsc, '-p', '.'], { cwd: directory }).catch(
        (error: { stdout?: string }) => {
          throw new Error(error.stdout);
        },
      );
    },
  };
}

/** A package and all that it depends on, by their folders. */
async function packagesOf(folder: string, found = new Map<string, string>()): Promise<Map<string, string>> {
  const { name, dependencies = {} } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  found.set(name, folder);
  for (const dependency of Object.keys(dependencies))
    if (!found.has(dependency)) await packagesOf(join(ROOT, 'node_modules', dependency), found);
  return found;
}

/** The blocks of a language in the README of the client, in their order. */
export async function blocksOfReadme(language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, 'clients', 'typescript', 'README.md'), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, block = '']) => block,
  );
}

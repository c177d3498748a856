import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { run } from './run.mjs';
import { replaceFolder, sourcesHash } from './sources-hash.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CLI = join(ROOT, 'cli');
const DIST = join(CLI, 'dist');
/** The licences of what it is bundled from. */
const NOTICES = 'THIRD-PARTY-NOTICES';
const SOURCES = ['cli/src', 'clients/typescript/src'];
const INPUTS = [
  'scripts/bundle-cli.mjs',
  'scripts/cli.mjs',
  'scripts/release/notices.mjs',
  'LICENSE',
  'cli/package.json',
  'cli/README.md',
  'cli/bin/redrive.js',
  'package-lock.json',
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled();
  await buildCli();
}

/**
 * Builds the command line into `cli/dist`, unless it holds just that already; `cli/dist/package` is it as others get it,
 * which `npm pack` and `npm publish` take.
 */
export async function buildCli() {
  const hash = await sourcesHash(ROOT, SOURCES, INPUTS);
  if ((await readFile(join(DIST, '.sources'), 'utf8').catch(() => '')) === hash) return;
  const unfinished = join(CLI, `.dist-${process.pid}`);
  try {
    await step('Building the command line', () => bundle(unfinished));
    await pack(unfinished);
    await writeFile(join(unfinished, '.sources'), hash);
    await replaceFolder(DIST, unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** In a process of its own, so that a start does not keep the bundler in memory. */
function bundle(directory) {
  return run(process.execPath, [join(ROOT, 'scripts', 'bundle-cli.mjs'), directory], { cwd: ROOT });
}

/** Puts the package together: what was bundled needs nothing that would have to be installed with it. */
async function pack(directory) {
  const folder = join(directory, 'package');
  const bundled = await readdir(directory);
  for (const part of ['bin', 'dist']) await mkdir(join(folder, part), { recursive: true });
  for (const name of bundled) {
    const into = name === NOTICES ? folder : join(folder, 'dist');
    await copyFile(join(directory, name), join(into, name));
  }
  await copyFile(join(CLI, 'bin', 'redrive.js'), join(folder, 'bin', 'redrive.js'));
  await copyFile(join(CLI, 'README.md'), join(folder, 'README.md'));
  await copyFile(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  const {
    private: _,
    devDependencies: __,
    ...published
  } = JSON.parse(await readFile(join(CLI, 'package.json'), 'utf8'));
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
}

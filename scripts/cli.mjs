import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { run } from './run.mjs';
import { replaceFolder, sourcesHash } from './sources-hash.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CLI = join(ROOT, 'cli');
const DIST = join(CLI, 'dist');
const SOURCES = ['cli/src', 'clients/typescript/src'];
const INPUTS = ['scripts/bundle-cli.mjs', 'cli/package.json', 'package-lock.json'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled();
  await buildCli();
}

/** Builds the command line into `cli/dist`, unless it holds just that already. */
export async function buildCli() {
  const hash = await sourcesHash(ROOT, SOURCES, INPUTS);
  if ((await readFile(join(DIST, '.sources'), 'utf8').catch(() => '')) === hash) return;
  const unfinished = join(CLI, `.dist-${process.pid}`);
  try {
    await step('Building the command line', () => bundle(unfinished));
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

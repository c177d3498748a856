import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCli } from './cli.mjs';
import { buildConsole } from './console.mjs';
import { ensureInstalled } from './install.mjs';
import { run } from './run.mjs';
import { replaceFolder, sourcesHash } from './sources-hash.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DIST = join(ROOT, 'dist');
const INPUTS = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled();
  await build();
}

/** Builds the service into `dist`, the console and the command line into theirs, each unless it is there already. */
export async function build() {
  await buildService();
  await buildConsole();
  await buildCli();
}

/** Compiles `src` and bundles the workflows. */
async function buildService() {
  const hash = await sourcesHash(ROOT, ['src'], INPUTS);
  if ((await readFile(join(DIST, '.sources'), 'utf8').catch(() => '')) === hash) return;
  // Beside `dist`, as source maps are relative, and moved at the end: a copy that is running keeps what it has.
  const unfinished = join(ROOT, `.dist-${process.pid}`);
  try {
    await step('Compiling', () => compile(unfinished));
    await step('Bundling the workflows', () => bundle(unfinished));
    await writeFile(join(unfinished, '.sources'), hash);
    await replaceFolder(DIST, unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

function compile(outDir) {
  const tsc = join(ROOT, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
  return run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir], { cwd: ROOT });
}

/** In a process of its own, so that a start does not keep the bundler in memory. */
async function bundle(directory) {
  const entry = join(directory, 'workflows', 'index.js');
  if (!(await exists(entry))) return;
  const script = join(ROOT, 'scripts', 'bundle-workflows.mjs');
  await run(process.execPath, [script, entry, join(directory, 'workflow-bundle.js')], { cwd: ROOT });
}

function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

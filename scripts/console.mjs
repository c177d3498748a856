import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ensureInstalled } from './install.mjs';
import { noticesFor } from './release/notices.mjs';
import { run } from './run.mjs';
import { replaceFolder, sourcesHash } from './sources-hash.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CONSOLE = join(ROOT, 'console');
const DIST = join(CONSOLE, 'dist');
const SOURCES = ['console/src', 'clients/typescript/src'];
const INPUTS = [
  ...['console/index.html', 'console/vite.config.ts', 'console/package.json', 'package-lock.json'],
  ...['scripts/console.mjs', 'scripts/release/notices.mjs'],
];

/** The first screen has to be there within a second on a slow line, too: its files, compressed, without the charts. */
const BUDGET_BYTES = 230 * 1_024;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled();
  await buildConsole();
}

/** Builds the console into `console/dist`, unless it holds just that already. */
export async function buildConsole() {
  const hash = await sourcesHash(ROOT, SOURCES, INPUTS);
  if ((await readFile(join(DIST, '.sources'), 'utf8').catch(() => '')) === hash) return;
  const unfinished = join(CONSOLE, `.dist-${process.pid}`);
  try {
    await step('Building the console', () => bundle(unfinished));
    await compress(unfinished);
    await keepBudget(unfinished);
    await writeNotices(unfinished);
    await writeFile(join(unfinished, '.sources'), hash);
    await replaceFolder(DIST, unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

function bundle(outDir) {
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  return run(process.execPath, [vite, 'build', '--outDir', outDir, '--logLevel', 'warn'], { cwd: CONSOLE });
}

/** Puts what a browser loads beside itself as it goes over the line: once, and not for each browser. */
async function compress(directory) {
  const assets = join(directory, 'assets');
  for (const file of await readdir(assets))
    await writeFile(join(assets, `${file}.gz`), gzipSync(await readFile(join(assets, file)), { level: 9 }));
}

/** Puts the licences of what it is bundled from beside it: it is given on with the image. */
async function writeNotices(directory) {
  const packages = JSON.parse(await readFile(join(directory, '.vite', 'license.json'), 'utf8'));
  await writeFile(join(directory, 'THIRD-PARTY-NOTICES'), await noticesFor(packages));
}

/** Fails where what the first screen loads has grown over the budget: what is loaded later is not counted. */
async function keepBudget(directory) {
  const manifest = JSON.parse(await readFile(join(directory, '.vite', 'manifest.json'), 'utf8'));
  const files = new Set();
  const take = (name) => {
    const { file, css = [], imports = [] } = manifest[name];
    for (const each of [file, ...css]) files.add(each);
    imports.forEach(take);
  };
  take('index.html');
  let total = 0;
  for (const file of files) total += (await stat(join(directory, `${file}.gz`))).size;
  const kib = (bytes) => `${(bytes / 1_024).toFixed(1)} KiB`;
  if (total > BUDGET_BYTES)
    throw new Error(
      `The console takes ${kib(total)} compressed before its charts, more than ${kib(BUDGET_BYTES)}: load a part later.`,
    );
  process.stdout.write(`  ${kib(total)} compressed of ${kib(BUDGET_BYTES)}\n`);
}

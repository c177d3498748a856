import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { run } from './run.mjs';
import { replaceFolder, sourcesHash } from './sources-hash.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CLIENT = join(ROOT, 'clients', 'typescript');
const DIST = join(CLIENT, 'dist');
const INPUTS = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'README.md'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureInstalled();
  await buildClient();
}

/**
 * Builds the package of the client into `clients/typescript/dist`, unless it holds just that already: `npm pack` and
 * `npm publish` take that folder. In this repository the client is its sources.
 */
export async function buildClient() {
  const hash = await sourcesHash(
    ROOT,
    ['clients/typescript/src'],
    [...INPUTS.map((name) => `clients/typescript/${name}`), 'LICENSE', 'package-lock.json'],
  );
  if ((await readFile(join(DIST, '.sources'), 'utf8').catch(() => '')) === hash) return;
  const unfinished = join(CLIENT, `.dist-${process.pid}`);
  try {
    await step('Building the client', () => compile(unfinished));
    await endDeclarations(unfinished);
    await writeFile(join(unfinished, 'package.json'), `${JSON.stringify(await published(), undefined, 2)}\n`);
    await copyFile(join(CLIENT, 'README.md'), join(unfinished, 'README.md'));
    await copyFile(join(ROOT, 'LICENSE'), join(unfinished, 'LICENSE'));
    await writeFile(join(unfinished, '.sources'), hash);
    await replaceFolder(DIST, unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

function compile(outDir) {
  const tsc = join(ROOT, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
  return run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir], { cwd: CLIENT });
}

/** The compiler rewrites the imports of code, not those of declarations: older ones of it cannot follow `.ts` there. */
async function endDeclarations(directory) {
  for (const name of await readdir(directory, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(directory, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replaceAll(/(from '\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
  }
}

/** The package as others get it: its code in the place of its sources. */
async function published() {
  const {
    private: _,
    exports: __,
    scripts: ___,
    ...rest
  } = JSON.parse(await readFile(join(CLIENT, 'package.json'), 'utf8'));
  return {
    ...rest,
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './package.json': './package.json' },
    files: ['**/*.js', '**/*.d.ts'],
  };
}

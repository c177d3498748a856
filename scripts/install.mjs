import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { run } from './run.mjs';
import { step } from './step.mjs';

const ROOT = new URL('../', import.meta.url);
const LOCK = new URL('package-lock.json', ROOT);
const INSTALLED = new URL('node_modules/.package-lock.json', ROOT);
const MARK = new URL('node_modules/.redrive-installed', ROOT);

/** Installs what package-lock.json says, when node_modules does not hold just that yet. */
export async function ensureInstalled() {
  const lock = await readFile(LOCK, 'utf8');
  const hash = createHash('sha256').update(lock).update(process.version).digest('hex');
  if ((await textOf(MARK)) === hash) return;
  if (!(await holds(JSON.parse(lock)))) await step('Installing the npm packages', install);
  await writeFile(MARK, hash);
}

/** Whether somebody has installed the same packages by npm; then doing it again would only take time. */
async function holds(lock) {
  const installed = JSON.parse((await textOf(INSTALLED)) || '{"packages":{}}').packages;
  const wanted = Object.entries(lock.packages).filter(([path]) => path !== '');
  return wanted.every(([path, { version, optional, peer }]) => {
    // Packages for other platforms are never there.
    if (installed[path] === undefined) return optional === true || peer === true;
    return installed[path].version === version;
  });
}

async function install() {
  try {
    await npm('ci');
  } catch (error) {
    // A registry that lacks packages of other platforms makes npm call the lock incomplete, which `install` bears.
    if (!error.output?.includes('EUSAGE')) throw error;
    await npm('install', '--no-save');
  }
}

/** Runs npm in this repository, or where `--prefix` says. */
export function npm(...command) {
  // Development packages too, whatever NODE_ENV says: the compiler is among them.
  const args = [
    ...command,
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-progress',
  ];
  const script = process.env.npm_execpath;
  const options = { cwd: ROOT };
  return script?.endsWith('.js')
    ? run(process.execPath, [script, ...args], options)
    : run('npm', args, options);
}

function textOf(url) {
  return readFile(url, 'utf8').catch(() => '');
}

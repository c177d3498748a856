import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { whenParentIsGone } from './parent.mjs';
import { run } from './run.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** A program of a package, started by its file: no shell, and no search along the PATH. */
const program = (...path) => join(ROOT, 'node_modules', ...path);

/** What is checked for who imports whom. */
const PARTS = ['src', 'clients/typescript/src', 'console/src', 'cli/src'];

const STEPS = [
  { title: 'Types', args: [program('@typescript', 'native', 'bin', 'tsc'), '-p', 'tsconfig.json'] },
  {
    title: 'Types of the client',
    args: [program('@typescript', 'native', 'bin', 'tsc'), '-p', 'clients/typescript'],
  },
  { title: 'Types of the console', args: [program('@typescript', 'native', 'bin', 'tsc'), '-p', 'console'] },
  { title: 'Types of the command line', args: [program('@typescript', 'native', 'bin', 'tsc'), '-p', 'cli'] },
  {
    title: 'Lint and format',
    args: [program('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', '.'],
  },
  { title: 'Unused code', args: [program('knip', 'bin', 'knip.js')] },
  {
    title: 'Architecture',
    args: [program('dependency-cruiser', 'bin', 'dependency-cruise.mjs'), ...PARTS, '--config'],
  },
  { title: 'Licences', args: ['scripts/release/licences.mjs'] },
  { title: 'Generated: .env.example', args: ['scripts/env-example.mjs', '--check'] },
  { title: 'Generated: migrations/schema.sql', args: ['scripts/schema.mjs', '--check'] },
  { title: 'Generated: openapi/', args: ['scripts/openapi.mjs', '--check'] },
  { title: 'Generated: types of the client', args: ['scripts/client-types.mjs', '--check'] },
  { title: 'Generated: docs/cli.md', args: ['scripts/cli-docs.mjs', '--check'] },
  { title: 'Generated: dashboards and alerts', args: ['scripts/observability.mjs', '--check'] },
];

/** Most of them have work for one core. */
const SIDE_BY_SIDE = 2;

process.exitCode = await main();

/** Every step runs, whatever the ones before it said: one run shows all that is wrong. */
async function main() {
  await ensureInstalled();
  const left = [...STEPS];
  const failed = [];
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      if (!(await passes(next))) failed.push(next.title);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  return finish(failed);
}

async function passes({ title, args }) {
  try {
    await step(title, () => run(process.execPath, args, { cwd: ROOT }), false);
    return true;
  } catch (error) {
    process.stdout.write(`${error.output ?? error.stack}\n`);
    return false;
  }
}

async function finish(failed) {
  const scratch = await mkdtemp(join(tmpdir(), 'redrive-check-'));
  const closingLineFile = join(scratch, 'closing-line');
  const code = await test(closingLineFile);
  if (failed.length > 0) process.stdout.write(`✘ Failed: ${failed.join(', ')}\n`);
  const line = await readFile(closingLineFile, 'utf8').catch(() => '0 passed, 1 failed');
  await rm(scratch, { recursive: true, force: true });
  process.stdout.write(`${line}\n`);
  return failed.length > 0 ? 1 : code;
}

function test(closingLineFile) {
  const child = spawn(process.execPath, ['scripts/test.mjs', ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, REDRIVE_CLOSING_LINE_FILE: closingLineFile },
  });
  // A terminal sends Ctrl-C to both; this one waits, as the tests have servers to stop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  whenParentIsGone(() => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

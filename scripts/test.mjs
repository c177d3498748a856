import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCli } from './cli.mjs';
import { buildConsole } from './console.mjs';
import { ensureInstalled } from './install.mjs';
import { whenParentIsGone } from './parent.mjs';
import { postgresPackages } from './postgres.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

// Before the run, which waits here until it has ended.
const PASSED_ON = [
  'REDRIVE_TEMPORAL_CLI',
  'REDRIVE_TEST_PATIENCE',
  'REDRIVE_TEST_CHROMIUM',
  'REDRIVE_TEST_BROWSER',
  'REDRIVE_TEST_PICTURES',
  'REDRIVE_TEST_PROMTOOL',
  'REDRIVE_TEST_PROGRAMS',
];

process.exitCode = await main(process.argv.slice(2));

/** Starts what the tests need, runs jest with these arguments, and stops it all whatever happens. */
async function main(args) {
  const scratch = await mkdtemp(join(tmpdir(), 'redrive-jest-'));
  const closingLineFile = join(scratch, 'closing-line');
  let code = 1;
  try {
    await ensureInstalled();
    await buildConsole();
    await buildCli();
    code = await testWithParts(args, closingLineFile);
  } catch (error) {
    process.stderr.write(
      `${error.output ?? ''}${error.code === 'startup_problem' ? error.message : error.stack}\n`,
    );
  }
  // A run that did not get as far as counting has failed as a whole.
  const line = await readFile(closingLineFile, 'utf8').catch(() => '0 passed, 1 failed');
  await rm(scratch, { recursive: true, force: true });
  await sayLast(line);
  return code;
}

/** A caller that has more to print afterwards names a file, and prints the line after that. */
async function sayLast(line) {
  const file = process.env.REDRIVE_CLOSING_LINE_FILE;
  if (file === undefined) process.stdout.write(`${line}\n`);
  else await writeFile(file, line);
}

async function testWithParts(args, closingLineFile) {
  const { register } = await import('tsx/esm/api');
  register();
  const { startTestEnvironment } = await import('../test/support/test-environment.ts');
  const { chromiumPath, NO_CHROMIUM } = await import('../test/support/browser/chromium.ts');
  const { missingPrograms } = await import('../test/support/deploy/programs.ts');
  const { endTree } = await import('../test/support/process-tree.ts');
  const interruption = interrupted();
  const parts = await startTestEnvironment(await postgresPackages(process.env.REDRIVE_TEST_POSTGRES));
  try {
    return await runJest(args, { ...parts.variables, REDRIVE_CLOSING_LINE_FILE: closingLineFile }, (jest) =>
      interruption(() => endTree(jest.pid)),
    );
  } finally {
    await parts.stop();
    // Behind everything else that was said: tests that were left out are easily taken for tests that passed.
    const missing = [...(chromiumPath() === undefined ? [NO_CHROMIUM] : []), ...missingPrograms()];
    for (const sentence of missing) process.stderr.write(`\n✘ ${sentence}\n`);
  }
}

function runJest(args, variables, started) {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const reporters = ['default', join(ROOT, 'test', 'support', 'closing-line.mjs')];
  const child = spawn(
    process.execPath,
    // Last, as jest would take a file pattern after them for one more reporter.
    [jest, ...args, ...reporters.map((reporter) => `--reporters=${reporter}`)],
    // In a group of its own, which no terminal tells of Ctrl-C: its workers would be gone before what they have started is
    // found, and that would stay. Elsewhere than on Linux nobody finds it, and the terminal has to tell all of them.
    { cwd: ROOT, stdio: 'inherit', env: environment(variables), detached: process.platform === 'linux' },
  );
  started(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Variables of the person's shell must not decide what is tested. */
function environment(variables) {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(REDRIVE_|TEMPORAL_|OTEL_|DATABASE_URL$|PG[A-Z]+$)/.test(name) || PASSED_ON.includes(name),
  );
  // Through the environment, so that the processes jest starts have them too.
  const flags = [
    process.env.NODE_OPTIONS,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    // Each file of tests loads all modules anew: most of what is made is garbage at once.
    '--max-semi-space-size=64',
  ];
  return { ...Object.fromEntries(inherited), NODE_OPTIONS: flags.filter(Boolean).join(' '), ...variables };
}

/** An interrupted run still stops its parts: the signal only ends jest and all below it, and the rest follows from that. */
function interrupted() {
  let end = () => {};
  let signalled = false;
  const interrupt = () => {
    signalled = true;
    end();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
  whenParentIsGone(interrupt);
  return (handler) => {
    end = handler;
    if (signalled) handler();
  };
}

// Makes a release: `npm run release -- 0.3.0`. It checks everything, writes the version wherever it stands, commits and
// tags, and leaves what is to be published in dist/release; it publishes nothing and pushes nothing (CONTRIBUTING.md).
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { buildClient } from './client.mjs';
import { run } from './run.mjs';
import { step } from './step.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const RELEASE = join(ROOT, 'dist', 'release');
const PACKAGES = [
  'package.json',
  'clients/typescript/package.json',
  'console/package.json',
  'cli/package.json',
];
const CHART = join(ROOT, 'deploy', 'helm', 'redrive', 'Chart.yaml');
const VERSION = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

const [version = ''] = process.argv.slice(2);
const problem = await reasonAgainst(version);
if (problem === undefined) await release(version);
else {
  process.stdout.write(`✘ ${problem}\n`);
  process.exitCode = 1;
}

/** Says why there can be no release of this version from this tree. */
async function reasonAgainst(wanted) {
  if (!VERSION.test(wanted)) return 'Name the version, such as `npm run release -- 0.3.0`.';
  if ((await git('status', '--porcelain')) !== '')
    return 'The tree has changes: commit them, or put them away.';
  if ((await git('tag', '--list', `v${wanted}`)) !== '') return `There is a tag v${wanted} already.`;
  const changes = await readFile(join(ROOT, 'CHANGELOG.md'), 'utf8');
  if (!changes.includes(`\n## ${wanted}\n`))
    return `CHANGELOG.md has no section "## ${wanted}": give what is unreleased this title, and commit it.`;
  return undefined;
}

async function release(wanted) {
  for (const file of PACKAGES) await writeVersion(join(ROOT, file), wanted);
  await writeChartVersion(wanted);
  await step('Lock file', () => npm('install', '--package-lock-only', '--ignore-scripts'));
  await step('Documents of the API', () => node('scripts/openapi.mjs'));
  await step('Types of the client', () => node('scripts/client-types.mjs'));
  await step('Checks and tests', () => npm('run', 'check'));
  await step('Known weaknesses', () => run('bash', ['.ci/audit'], { cwd: ROOT }));
  await build();
  await buildClient();
  await rm(RELEASE, { recursive: true, force: true });
  await mkdir(RELEASE, { recursive: true });
  const bill = await step('Bill of materials', () => npm('run', '--silent', 'sbom'));
  await writeFile(join(RELEASE, `redrive-${wanted}.cdx.json`), bill);
  for (const folder of ['clients/typescript/dist', 'cli'])
    await step(`Package of ${folder}`, () => npm('pack', join(ROOT, folder), '--pack-destination', RELEASE));
  await git('commit', '-qam', `Release ${wanted}`);
  await git('tag', '-a', `v${wanted}`, '-m', `Redrive ${wanted}`);
  process.stdout.write(`v${wanted} is committed and tagged. CONTRIBUTING.md says how it is published.\n`);
}

/** Writes the version of one package, and that of the client where the package needs it. */
async function writeVersion(file, wanted) {
  const found = JSON.parse(await readFile(file, 'utf8'));
  found.version = wanted;
  if (found.dependencies?.['@redrive/client']) found.dependencies['@redrive/client'] = wanted;
  await writeFile(file, `${JSON.stringify(found, undefined, 2)}\n`);
}

/** Writes the version of the chart, which is that of the image that it installs. */
async function writeChartVersion(wanted) {
  const chart = await readFile(CHART, 'utf8');
  await writeFile(CHART, chart.replaceAll(/^(version|appVersion): .+$/gm, `$1: ${wanted}`));
}

const git = async (...args) => (await run('git', args, { cwd: ROOT })).trim();
const npm = (...args) => run('npm', args, { cwd: ROOT });
const node = (...args) => run(process.execPath, args, { cwd: ROOT });

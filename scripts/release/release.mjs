// Makes a release: `npm run release -- 0.3.0`. It checks everything, writes the version wherever it stands, commits and
// tags, and leaves what is to be published in dist/release; it publishes nothing and pushes nothing (CONTRIBUTING.md).
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../build.mjs';
import { buildClient } from '../client.mjs';
import { run } from '../run.mjs';
import { step } from '../step.mjs';
import { writeVersion } from './write-version.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RELEASE = join(ROOT, 'dist', 'release');
/** The packages as others get them, made by `build` and `buildClient`; those of the sources are private. */
const PACKED = ['clients/typescript/dist', 'cli/dist/package'];
const VERSION = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

const [version = ''] = process.argv.slice(2);
const problem = await reasonAgainst(version);
if (problem === undefined) await releaseOrRestore(version);
else fail(problem);

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

/** Where a step fails the tree is as it was, so that the next run is not refused for what this one left. */
async function releaseOrRestore(wanted) {
  try {
    await release(wanted);
  } catch (error) {
    await git('restore', '--staged', '--worktree', '.');
    fail(`${error.output ?? error.stack}\nThere is no release, and the tree is as it was.`);
  }
}

async function release(wanted) {
  await step('Version', () => writeVersion(ROOT, wanted));
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
  for (const folder of PACKED) await step(`Package of ${folder}`, () => pack(join(ROOT, folder), wanted));
  await git('commit', '-qam', `Release ${wanted}`);
  await git('tag', '-a', `v${wanted}`, '-m', `Redrive ${wanted}`);
  process.stdout.write(`v${wanted} is committed and tagged. CONTRIBUTING.md says how it is published.\n`);
}

async function pack(folder, wanted) {
  const packed = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  // `npm pack` takes a private package, too, and only `npm publish` refuses it.
  if (packed.private || packed.version !== wanted)
    throw new Error(`${folder} holds no package of ${wanted} that could be published.`);
  await npm('pack', folder, '--pack-destination', RELEASE);
}

function fail(sentence) {
  process.stdout.write(`✘ ${sentence}\n`);
  process.exitCode = 1;
}

const git = async (...args) => (await run('git', args, { cwd: ROOT })).trim();
const npm = (...args) => run('npm', args, { cwd: ROOT });
const node = (...args) => run(process.execPath, args, { cwd: ROOT });

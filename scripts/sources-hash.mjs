import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A hash over all files of some folders and over some files: what is built of them is made again where it differs. */
export async function sourcesHash(root, folders, inputs) {
  const files = [];
  for (const folder of folders) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    files.push(
      ...entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
    );
  }
  const hash = createHash('sha256').update(process.version);
  for (const file of [...files.sort(), ...inputs.map((name) => join(root, name))]) {
    hash.update(`\0${relative(root, file)}\0`).update(await readFile(file));
  }
  return hash.digest('hex');
}

/** Puts a folder that was built in the place of the one before it; a copy that is running keeps what it has. */
export async function replaceFolder(folder, finished) {
  const old = `${finished}-old`;
  await rename(folder, old).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(finished, folder).catch((error) => {
    // Another build of the same sources was faster.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  await rm(old, { recursive: true, force: true });
}

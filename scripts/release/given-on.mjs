// The packages that are given on with Redrive: those that its images install, and those that the console and the command
// line are bundled from, which the lock file counts among the tools.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
/** Of what these name for their development all is bundled, but for what builds them and their types. */
const BUNDLED = ['console', 'cli'];
const TOOLS = /^(?:vite$|@types\/)/;

/** The lock file. */
export async function readLock() {
  return JSON.parse(await readFile(fileURLToPath(new URL('package-lock.json', ROOT)), 'utf8'));
}

/** The paths in a lock file of all that is given on. */
export function givenOn({ packages }) {
  const found = new Set();
  const seen = new Set();
  for (const [path, entry] of Object.entries(packages))
    if (nameOf(path) !== undefined && !entry.link && !entry.dev && !entry.devOptional) found.add(path);
  for (const part of BUNDLED)
    for (const name of Object.keys(packages[part].devDependencies ?? {}))
      if (!TOOLS.test(name)) follow(part, name);
  return found;

  function follow(from, name) {
    if (TOOLS.test(name)) return;
    const path = placeOf(from, name);
    // A peer that is optional is not there.
    if (path === undefined) return;
    const { link, resolved } = packages[path];
    const place = link ? resolved : path;
    if (!link) {
      if (seen.has(place)) return;
      seen.add(place);
      found.add(place);
    }
    const { dependencies, optionalDependencies, peerDependencies } = packages[place];
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
      follow(place, each);
  }

  /** Where Node finds a package from another: beside it, or above. */
  function placeOf(from, name) {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      if (packages[path] !== undefined) return path;
      if (at === '') return undefined;
    }
  }
}

/** The name of the package at a path of the lock file; undefined where it is a part of ours. */
export function nameOf(path) {
  const at = path.lastIndexOf('node_modules/');
  return at === -1 ? undefined : path.slice(at + 'node_modules/'.length);
}

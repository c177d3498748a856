// Checks that every package that the lock file names may be used and given on with Redrive, by the licence that it
// states: `node scripts/release/licences.mjs`. A licence that is not in the lists is a decision for a person.
import { givenOn, nameOf, readLock } from './given-on.mjs';

/** Given on with the images and packages: they ask for no more than to be named. */
const GIVEN_ON = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'Apache-2.0 AND MIT',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
  // Data that browsers and compilers look up.
  'CC-BY-4.0',
]);

/** Used to build and test only, and given on with nothing. */
const TOOLS = new Set([...GIVEN_ON, 'MPL-2.0', 'Python-2.0', 'MIT OR Apache-2.0', '(MIT OR CC0-1.0)']);

/**
 * Packages of which the lock file states no licence: builds for other platforms, which the registry that it was made
 * with does not serve, have that of the package they belong to; others were looked up.
 */
const LOOKED_UP = [
  { name: /^@biomejs\/cli-/, licence: 'MIT OR Apache-2.0' },
  { name: /^@oxc-parser\/binding-/, licence: 'MIT' },
  { name: /^@swc\/core-/, licence: 'Apache-2.0 AND MIT' },
  { name: /^@unrs\/resolver-binding-/, licence: 'MIT' },
  // Its README says so, and its package has the text.
  { name: /^unionfs$/, licence: 'Unlicense' },
];

const lock = await readLock();
const given = givenOn(lock);
const counts = new Map();
const refused = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  const name = nameOf(path);
  if (name === undefined || entry.link) continue;
  const licence = entry.license ?? LOOKED_UP.find((known) => known.name.test(name))?.licence;
  const allowed = given.has(path) ? GIVEN_ON : TOOLS;
  if (licence === undefined || !allowed.has(licence))
    refused.push(`${name}: ${licence ?? 'states no licence'}`);
  else counts.set(licence, (counts.get(licence) ?? 0) + 1);
}
const found = [...counts].sort(([, a], [, b]) => b - a).map(([licence, count]) => `${count} ${licence}`);
process.stdout.write(`${found.join(', ')}\n`);
if (refused.length > 0) {
  process.stdout.write(
    `Not allowed, or not known:\n${refused.map((line) => `  ${line}`).join('\n')}\n` +
      'Replace it, or add its licence to scripts/release/licences.mjs with the reason why it may be used.\n',
  );
  process.exitCode = 1;
}

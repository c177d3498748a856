// Writes the bill of materials (CycloneDX) of all that is given on: `npm run --silent sbom`. npm leaves out by itself what
// the console and the command line are bundled from.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { givenOn, nameOf, readLock } from './given-on.mjs';

const lock = await readLock();
const parts = Object.keys(lock.packages).filter((path) => path !== '' && nameOf(path) === undefined);
const kept = new Set([...parts, ...givenOn(lock)].map(refOf));
const { stdout } = await promisify(execFile)(
  'npm',
  ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'],
  { maxBuffer: 64 * 1_024 * 1_024 },
);
const bill = JSON.parse(stdout);
const { component } = bill.metadata;
const own = component['bom-ref'];
// npm takes the name of the folder.
component.name = lock.name;
bill.components = bill.components.filter((each) => kept.has(each['bom-ref'])).map(bundledAsRequired);
bill.dependencies = bill.dependencies
  .filter(({ ref }) => ref === own || kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn?.filter((each) => kept.has(each)) }));
process.stdout.write(`${JSON.stringify(bill, undefined, 2)}\n`);

function refOf(path) {
  const { name = nameOf(path), version } = lock.packages[path];
  return `${name}@${version}`;
}

function bundledAsRequired(part) {
  const isTool = ({ name }) => name === 'cdx:npm:package:development';
  if (!part.properties?.some(isTool)) return part;
  return { ...part, scope: 'required', properties: part.properties.filter((each) => !isTool(each)) };
}

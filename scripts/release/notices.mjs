// The licences of the packages that a bundle was made of: what is given on with others' code must name it and have its terms.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/;
/** The names under which packages keep their terms, and what has to be passed on with them. */
const TERMS = /^(?:licen[cs]e|copying|notice)(?:[.-]|$)/i;

/** Packages that name their licence and leave its text out: another one of the same author has it. */
const AS = new Map([['react-remove-scroll-bar', 'react-remove-scroll']]);

/** The packages that these modules are of, each with its terms. */
export async function packagesOf(moduleIds) {
  const folders = new Set(moduleIds.flatMap((id) => PACKAGE.exec(id.replaceAll('\\', '/'))?.[0] ?? []));
  return Promise.all(
    [...folders].map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      return { name, version, identifier: license, text: await termsIn(folder) };
    }),
  );
}

/** The notices for packages, in the form in which Vite names them; fails at one whose terms nobody knows. */
export async function noticesFor(packages) {
  const notices = await Promise.all(packages.map(noticeFor));
  const sorted = [...new Set(notices)].sort();
  return `Parts of the packages named below are in here, under the terms that follow each of them.\n\n${sorted.join('\n')}`;
}

async function noticeFor({ name, version, identifier, text }) {
  const as = AS.get(name);
  const terms = text?.trim() || (as && (await termsIn(join(MODULES, as))));
  if (!terms || !identifier)
    throw new Error(`${name} ${version} has no file with its licence: it cannot be given on as it is.`);
  return `${'-'.repeat(72)}\n${name} ${version} (${identifier})\n\n${terms}\n`;
}

async function termsIn(folder) {
  const files = (await readdir(folder)).filter((file) => TERMS.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return texts.map((text) => text.trim()).join('\n\n');
}

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { useInstalledCli } from '../support/cli/installed-cli.ts';

const cli = useInstalledCli();

/** What builds the console, and what is there for the compiler alone. */
const TOOLS = /^(?:vite|@types\/.+|@redrive\/client)$/;
/** A package of other packages, which has no code of its own. */
const PARTS_OF: Readonly<Record<string, string>> = { 'radix-ui': '@radix-ui/react-dialog' };

/** What the notices name, with the terms of each. */
function named(notices: string): Map<string, string> {
  return new Map(
    notices
      .split(/^-{72}$/m)
      .slice(1)
      .map((notice) => {
        const [, name = '', terms = ''] = /^\n(\S+) \S+ \(.+?\)\n\n(.+)$/s.exec(notice) ?? [];
        return [name, terms];
      }),
  );
}

/** The packages that a part of ours names. */
async function packagesOf(...parts: string[]): Promise<string[]> {
  const files = await Promise.all(parts.map((part) => readFile(join(part, 'package.json'), 'utf8')));
  return files
    .map((file) => JSON.parse(file))
    .flatMap(({ dependencies, devDependencies }) => Object.keys({ ...dependencies, ...devDependencies }))
    .filter((name) => !TOOLS.test(name))
    .map((name) => PARTS_OF[name] ?? name);
}

function expectTerms(notices: Map<string, string>): void {
  for (const [name, terms] of notices)
    expect([name, terms]).toEqual([
      expect.stringMatching(/./),
      expect.stringMatching(/Copyright.{100,}AS IS/is),
    ]);
}

test('the packed command line has the terms of all that it is bundled from, and needs nothing beside it', async () => {
  const installed = join(cli.directory, 'node_modules', '@redrive', 'cli');
  expect(cli.files).toEqual(expect.arrayContaining(['LICENSE', 'THIRD-PARTY-NOTICES']));
  expect(await readFile(join(installed, 'LICENSE'), 'utf8')).toBe(await readFile('LICENSE', 'utf8'));
  const notices = named(await readFile(join(installed, 'THIRD-PARTY-NOTICES'), 'utf8'));
  expectTerms(notices);
  expect([...notices.keys()]).toEqual((await packagesOf('cli', 'clients/typescript')).sort());
  const imported = new Set<string>();
  for (const name of await readdir(join(installed, 'dist'))) {
    const code = await readFile(join(installed, 'dist', name), 'utf8');
    for (const [, from = ''] of code.matchAll(/^import\b[^;]*?["']([^"'\n]+)["'];$/gm)) imported.add(from);
  }
  const foreign = [...imported].filter((from) => !/^(?:\.|node:)/.test(from));
  expect(foreign.filter((from) => !builtinModules.includes(from))).toEqual([]);
  expect(imported.size).toBeGreaterThan(foreign.length);
});

test('the built console has the terms of all that it is bundled from', async () => {
  const notices = named(await readFile('console/dist/THIRD-PARTY-NOTICES', 'utf8'));
  expectTerms(notices);
  expect([...notices.keys()]).toEqual(
    expect.arrayContaining(await packagesOf('console', 'clients/typescript')),
  );
});

test('a package whose terms nobody knows is bundled into nothing', async () => {
  const bundling = `import { noticesFor } from './scripts/release/notices.mjs';
    await noticesFor([{ name: 'theirs', version: '1.0.0', identifier: 'MIT', text: '' }]);`;
  await expect(
    promisify(execFile)(process.execPath, ['--input-type=module', '--eval', bundling]),
  ).rejects.toThrow('theirs 1.0.0 has no file with its licence');
});

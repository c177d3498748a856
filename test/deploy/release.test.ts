import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const run = promisify(execFile);

/** Higher than any that was released. */
const NEXT = '987.0.0';

const PACKAGES = [
  'package.json',
  'clients/typescript/package.json',
  'console/package.json',
  'cli/package.json',
];
/** The same in the lock file. */
const OURS = ['', 'clients/typescript', 'console', 'cli'];

interface Locked {
  version?: string;
  integrity?: string;
  resolved?: string;
}

const CHART = 'deploy/helm/redrive/Chart.yaml';

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'));

test('a version is written wherever it stands, so that no package of ours is looked for in the registry', async () => {
  await inTemporaryDirectory(async (copy) => {
    for (const file of [...PACKAGES, CHART, 'package-lock.json', '.npmrc']) {
      await mkdir(dirname(join(copy, file)), { recursive: true });
      await copyFile(file, join(copy, file));
    }
    // Offline: it fails where the lock file could not be made of the packages that are here.
    await run(process.execPath, ['scripts/release/write-version.mjs', NEXT, copy]);
    for (const file of PACKAGES) {
      const { version, dependencies, devDependencies } = await json(copy, file);
      const needed = { ...dependencies, ...devDependencies }['@redrive/client'];
      expect([file, version, needed ?? NEXT]).toEqual([file, NEXT, NEXT]);
    }
    const { packages } = await json(copy, 'package-lock.json');
    for (const path of OURS) expect([path, packages[path].version]).toEqual([path, NEXT]);
    // Everything else is locked as it was, and by no address.
    const others = (all: Record<string, Locked>) =>
      Object.entries(all).flatMap(([path, { version, integrity, resolved }]) =>
        OURS.includes(path) ? [] : [[path, version, integrity, resolved]],
      );
    expect(others(packages)).toEqual(others((await json('package-lock.json')).packages));
    expect(await readFile(join(copy, CHART), 'utf8')).toContain(`version: ${NEXT}\nappVersion: ${NEXT}\n`);
  });
});

test('what is released are packages as others get them', async () => {
  const script = await readFile('scripts/release/release.mjs', 'utf8');
  const [, list = ''] = /^const PACKED = \[(.+)\];$/m.exec(script) ?? [];
  const folders = [...list.matchAll(/'([^']+)'/g)].map(([, folder = '']) => folder);
  expect(folders).toHaveLength(2);
  await run(process.execPath, ['scripts/client.mjs']);
  for (const folder of folders) {
    const packed = await json(folder, 'package.json');
    expect([folder, packed.private, packed.devDependencies]).toEqual([folder, undefined, undefined]);
    const bins: string[] = Object.values(packed.bin ?? {});
    for (const file of bins) await stat(join(folder, file));
  }
});

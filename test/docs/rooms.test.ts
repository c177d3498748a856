import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { expect, test } from '@jest/globals';

/** A folder of more files than a reader takes in at a glance is divided into rooms. */
const MOST_FILES = 25;

test.each(['src', 'test', 'bench', 'scripts', 'deploy', 'docs', 'clients', 'console/src', 'cli/src'])(
  'no folder of %s holds more than 25 files',
  async (root) => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const files = new Map<string, number>();
    for (const entry of entries) {
      const folder = join(entry.parentPath, '');
      // Nobody reads what is built: it has two files for each that somebody wrote.
      const isRead = !folder.startsWith(join('test', 'fixtures')) && !folder.split(sep).includes('dist');
      if (entry.isFile() && isRead) files.set(folder, (files.get(folder) ?? 0) + 1);
    }
    expect(files.size).toBeGreaterThan(0);
    expect([...files].filter(([, count]) => count > MOST_FILES)).toEqual([]);
  },
);

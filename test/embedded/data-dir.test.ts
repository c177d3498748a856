import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openDataDir } from '../../src/embedded/data-dir.ts';
import { masterKeyIn } from '../../src/embedded/master-key.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

test('a data directory that cannot be made gets one sentence that names the variable', async () => {
  await inTemporaryDirectory(async (directory) => {
    // A file in the way stops root too, which permissions would not.
    await writeFile(join(directory, 'file'), '');
    await expect(openDataDir(join(directory, 'file', 'data'))).rejects.toThrow(
      /^The data directory \S+ cannot be written \(ENOTDIR\): make it writable, or set REDRIVE_DATA_DIR to another directory\.$/,
    );
  });
});

test('a lock of a process that is gone is taken over', async () => {
  await inTemporaryDirectory(async (directory) => {
    // The process id of this very test, but of a process that was started at another time.
    const gone = JSON.stringify({ pid: process.ppid, mark: 'long ago', stopping: false });
    await writeFile(join(directory, 'lock'), gone);
    const opened = await openDataDir(directory);
    expect(JSON.parse(await readFile(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    await opened.release();
  });
});

test('a damaged lock is taken over', async () => {
  await inTemporaryDirectory(async (directory) => {
    await writeFile(join(directory, 'lock'), '{');
    await (await openDataDir(directory)).release();
  });
});

test('of many that start at once after a crash, one gets the directory', async () => {
  await inTemporaryDirectory(async (directory) => {
    await writeFile(
      join(directory, 'lock'),
      JSON.stringify({ pid: 2 ** 22 + 1, mark: '1', stopping: false }),
    );
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => openDataDir(directory)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

test('a copy that is about to stop is waited for', async () => {
  await inTemporaryDirectory(async (directory) => {
    const first = await openDataDir(directory);
    await first.announceStop();
    const second = openDataDir(directory);
    await first.release();
    await (await second).release();
  });
});

test('the master key is 32 bytes, readable by its owner only, and stays the same', async () => {
  await inTemporaryDirectory(async (directory) => {
    const key = await masterKeyIn(directory);
    expect(key).toHaveLength(32);
    expect((await stat(join(directory, 'master.key'))).mode & 0o777).toBe(0o600);
    expect(await masterKeyIn(directory)).toEqual(key);
  });
});

test('a damaged master key is never replaced', async () => {
  await inTemporaryDirectory(async (directory) => {
    await mkdir(join(directory, 'data'));
    await writeFile(join(directory, 'master.key'), 'half of i');
    await expect(masterKeyIn(directory)).rejects.toThrow(
      /^The master key in \S+ is damaged: put the file back/,
    );
    expect(await readFile(join(directory, 'master.key'), 'utf8')).toBe('half of i');
  });
});

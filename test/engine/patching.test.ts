import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { silentReport } from '../../src/embedded/steps.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { installRuntime } from '../../src/temporal/runtime.ts';
import { workflowBundleFile } from '../support/engine/workflow-bundle.ts';

/** How the workflow is changed while runs of the old code are open; docs/operations.md says the same in words. */

installRuntime(createLogger({ level: 'silent' }));

/** Below the project, where the packages of the workflow are found. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/', import.meta.url));
const HISTORIES = fileURLToPath(new URL('../fixtures/histories/', import.meta.url));
const FIRST_LOOK = 'let progress = await assess(operationId);';

/** Replays the recorded histories on the workflow with its first look changed; the ids of those that it cannot replay. */
async function replayedOn(changed: string): Promise<{ replayed: number; failed: string[] }> {
  const directory = await mkdtemp(join(ROOT, '.patching-'));
  try {
    const source = await readFile(join(WORKFLOWS, 'operation.ts'), 'utf8');
    if (!source.includes(FIRST_LOOK)) throw new Error('the workflow does not begin as this test thinks');
    const moved = source
      .replace(FIRST_LOOK, changed)
      .replace(
        "from '@temporalio/workflow'",
        "from '@temporalio/workflow'; import { patched } from '@temporalio/workflow'",
      )
      .replace(/from '(\.\.?\/[^']+)'/g, (_, path: string) => `from '${join(WORKFLOWS, path)}'`);
    await writeFile(join(directory, 'operation.ts'), moved);
    await writeFile(join(directory, 'index.ts'), "export { operation } from './operation.ts';\n");
    const codePath = await workflowBundleFile({
      entry: pathToFileURL(join(directory, 'index.ts')),
      directory,
      report: silentReport,
    });
    const files = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));
    const histories = await Promise.all(
      files.map(async (name) => ({
        workflowId: name,
        history: historyFromJSON(JSON.parse(await readFile(join(HISTORIES, name), 'utf8'))),
      })),
    );
    const failed: string[] = [];
    let replayed = 0;
    for await (const { workflowId, error } of Worker.runReplayHistories(
      { workflowBundle: { codePath } },
      histories,
    )) {
      replayed += 1;
      if (error) failed.push(workflowId);
    }
    return { replayed, failed };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('a further step cannot be replayed on runs that began without it', async () => {
  const { replayed, failed } = await replayedOn(`await assess(operationId); ${FIRST_LOOK}`);
  expect(failed.length).toBe(replayed);
});

test('behind a patch it can: runs that began without it go on without it', async () => {
  const { replayed, failed } = await replayedOn(
    `if (patched('look-twice')) await assess(operationId); ${FIRST_LOOK}`,
  );
  expect({ replayed: replayed >= 8, failed }).toEqual({ replayed: true, failed: [] });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentReport } from '../../src/embedded/steps.ts';
import { workflowBundleFile } from '../support/engine/workflow-bundle.ts';
import { type ChaosPlan, runChaos } from './run-chaos.ts';

const WITHIN_MS = 20 * 60_000;

/** One large run on servers of its own, which are killed, too; whether nothing was wrong with it. */
export async function runLarge(plan: Omit<ChaosPlan, 'workflowBundle' | 'withinMs'>): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'redrive-chaos-bundle-'));
  try {
    const result = await runChaos({
      ...plan,
      workflowBundle: await workflowBundleFile({
        entry: new URL('../../src/workflows/index.ts', import.meta.url),
        directory,
        report: silentReport,
      }),
      withinMs: WITHIN_MS,
    });
    plan.say(JSON.stringify(result, null, 2));
    return result.findings.faults.length === 0;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

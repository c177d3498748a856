import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../../src/embedded/steps.ts';

/** Bundles the workflows once for all workers of a test run; answers the file's path. */
export async function workflowBundleFile(options: {
  entry: URL;
  directory: string;
  report: Report;
}): Promise<string> {
  const step = options.report('Workflow bundle');
  try {
    // Only here, as the bundler takes its time to load and a run without workflows does not need it.
    const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
    const logger = new DefaultLogger('WARN');
    const { code } = await bundleWorkflowCode({ workflowsPath: fileURLToPath(options.entry), logger });
    const file = join(options.directory, 'workflow-bundle.js');
    await writeFile(file, code);
    step.done();
    return file;
  } catch (error) {
    step.failed('could not be made');
    throw error;
  }
}

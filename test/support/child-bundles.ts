import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../src/embedded/steps.ts';
import { startChildScript } from './child-script.ts';

const ROOT = new URL('../../', import.meta.url);

/** The bundled processes of a test run, until they are removed. */
export interface ChildBundles {
  /** The URL of their folder. */
  folder: string;
  remove(): Promise<void>;
}

/** Bundles the processes that tests start again and again, once for a run: see {@link startChildScript}. */
export async function bundleChildren(report: Report): Promise<ChildBundles> {
  const step = report('Processes of tests');
  // Below the root as the sources are: what is bundled reads the version beside them, and finds its packages above.
  const folder = new URL(`.dist-children-${process.pid}/`, ROOT);
  const remove = () => rm(folder, { recursive: true, force: true });
  const bundling = startChildScript(new URL('child/bundle.ts', import.meta.url), {
    args: [fileURLToPath(folder)],
  });
  const { code, output } = await bundling.ended;
  if (code !== 0) {
    step.failed('could not be bundled');
    await remove();
    throw new Error(`the processes of the tests could not be bundled: ${output}`);
  }
  step.done();
  return { folder: folder.href, remove };
}

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hosts } from './hosts.ts';
import type { SmallWorld } from './run-seed.ts';

/** Missed after this time, a step of a process that was killed is begun elsewhere: a little above the beat of the engine. */
const HEARTBEAT = '12 seconds';
const IN_THE_BUNDLE = /heartbeatTimeout: '30 seconds'/g;

/** What the seeds of a run share, on the servers of a test run, with so many processes loaded ahead. */
export async function startSmallWorld(spare: number): Promise<SmallWorld & { close(): Promise<void> }> {
  const { REDRIVE_TEST_TEMPORAL_ADDRESS: temporalAddress = '', REDRIVE_TEST_WORKFLOW_BUNDLE: bundle = '' } =
    process.env;
  const directory = await mkdtemp(join(tmpdir(), 'redrive-small-'));
  const workflowBundle = join(directory, 'workflow-bundle.js');
  await writeFile(workflowBundle, withHeartbeat(await readFile(bundle, 'utf8')));
  const hosts = new Hosts(spare);
  return {
    ...{ hosts, temporalAddress, workflowBundle },
    async close() {
      await hosts.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function withHeartbeat(bundle: string): string {
  if (bundle.match(IN_THE_BUNDLE)?.length !== 1)
    throw new Error('the workflow bundle has no time limit between heartbeats, or several');
  return bundle.replace(IN_THE_BUNDLE, `heartbeatTimeout: '${HEARTBEAT}'`);
}

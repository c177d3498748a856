import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentReport } from '../../src/embedded/steps.ts';
import { workflowBundleFile } from '../support/engine/workflow-bundle.ts';
import { runChaos } from './run-chaos.ts';

/** `npm run chaos -- --items 50000 --seed 1`: kills everything there is, at random, and compares the ledgers. */
const { values } = parseArgs({
  options: {
    items: { type: 'string', default: '50000' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    workers: { type: 'string', default: '3' },
    rate: { type: 'string', default: '800' },
    kills: { type: 'string', default: '24' },
  },
});
const directory = await mkdtemp(join(tmpdir(), 'redrive-chaos-bundle-'));
try {
  const result = await runChaos({
    items: Number(values.items),
    seed: Number(values.seed),
    workers: Number(values.workers),
    ratePerSecond: Number(values.rate),
    kills: { workers: Number(values.kills), api: 3, postgres: 2, temporal: 2 },
    workflowBundle: await workflowBundleFile({
      entry: new URL('../../src/workflows/index.ts', import.meta.url),
      directory,
      report: silentReport,
    }),
    withinMs: 20 * 60_000,
    say: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = result.findings.faults.length === 0 ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

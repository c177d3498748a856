import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { silentReport } from '../../src/embedded/steps.ts';
import { workflowBundleFile } from '../support/engine/workflow-bundle.ts';
import { backupRestore } from './backup-restore.ts';
import type { DrillPlan, DrillResult } from './drill.ts';
import { postgresFailover } from './postgres-failover.ts';
import { rollingDeploy } from './rolling-deploy.ts';
import { rotateMasterKey } from './rotate-master-key.ts';

type Options = { 'lose-tail'?: boolean };

/** Numbers of a plan: whole ones above 0. */
const NUMBERS = ['items', 'rate', 'workers'] as const;

const DRILLS: Record<string, (plan: DrillPlan, options: Options) => Promise<DrillResult>> = {
  'backup-restore': (plan, options) => backupRestore(plan, options['lose-tail'] ? 'sudden' : 'planned'),
  'rolling-deploy': rollingDeploy,
  'postgres-failover': postgresFailover,
  'rotate-master-key': rotateMasterKey,
};

process.exitCode = await main();

/** `npm run drill -- backup-restore --items 20000`: does it to a service under load, and compares the ledgers. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      items: { type: 'string', default: '20000' },
      rate: { type: 'string', default: '400' },
      workers: { type: 'string', default: '2' },
      'lose-tail': { type: 'boolean', default: false },
    },
  });
  const [name = ''] = positionals;
  const drill = DRILLS[name];
  if (drill === undefined) {
    process.stderr.write(`There is no drill ${name}: use one of ${Object.keys(DRILLS).join(', ')}.\n`);
    return 2;
  }
  const wrong = NUMBERS.find((option) => !/^[1-9]\d{0,6}$/.test(values[option]));
  if (wrong !== undefined) {
    process.stderr.write(`--${wrong} is "${values[wrong]}": use a whole number from 1 on.\n`);
    return 2;
  }
  const directory = await mkdtemp(join(tmpdir(), 'redrive-drill-'));
  try {
    const plan: DrillPlan = {
      items: Number(values.items),
      ratePerSecond: Number(values.rate),
      workers: Number(values.workers),
      workflowBundle: await workflowBundleFile({
        entry: new URL('../../src/workflows/index.ts', import.meta.url),
        directory,
        report: silentReport,
      }),
      withinMs: 20 * 60_000,
      say: (line) => process.stdout.write(`${line}\n`),
    };
    const result = await drill(plan, values);
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    const { faults } = result.findings;
    process.stdout.write(faults.length === 0 ? '✔ The ledgers agree.\n' : `✘ ${faults.length} faults\n`);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

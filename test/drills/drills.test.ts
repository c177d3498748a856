import { afterEach, describe, expect, test } from '@jest/globals';
import { backupRestore } from './backup-restore.ts';
import type { DrillPlan, DrillResult } from './drill.ts';
import { postgresFailover } from './postgres-failover.ts';
import { rollingDeploy } from './rolling-deploy.ts';
import { rotateMasterKey } from './rotate-master-key.ts';
import { hasEarlier } from './version.ts';

/** The short form of each drill: `npm run drill -- <name>` is the long one. */

const ITEMS = 2_400;
const lines: string[] = [];

const plan = (): DrillPlan => ({
  items: ITEMS,
  // A backup is to be taken and lost within it.
  ratePerSecond: 120,
  workers: 2,
  workflowBundle: process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '',
  withinMs: 120_000,
  say: (line) => lines.push(line),
});

afterEach(() => {
  lines.length = 0;
});

/** Asserts what every drill has to end with. */
function expectAgreement({ findings, live }: DrillResult): void {
  expect({ faults: findings.faults, lines: findings.faults.length > 0 ? lines : [] }).toEqual({
    faults: [],
    lines: [],
  });
  expect(findings).toMatchObject({ state: 'completed_with_failures', counts: { expected: ITEMS } });
  expect(live.accepted).toBeGreaterThan(0);
}

test('postgres-failover: a promoted replica has all that was committed, and everything goes on there', async () => {
  expectAgreement(await postgresFailover(plan()));
});

describe('backup-restore', () => {
  test('after a planned move everything goes on, and nothing is sent twice but what was in flight', async () => {
    const result = await backupRestore(plan(), 'planned');
    // A request that the ledger has no attempt of is a fault, and so is a second success that no attempt excuses whose
    // outcome nobody knew.
    expectAgreement(result);
    // Nothing was left out of that comparison.
    expect(result.figures.requestsOfTheLostTime).toBeUndefined();
  });

  test('after a sudden loss what is not in the archive is done again, under the same ids, and all is told', async () => {
    const result = await backupRestore(plan(), 'sudden');
    expectAgreement(result);
    expect(result.figures.lostMs).toBeGreaterThan(0);
    // Only what was sent within that time is left out of the comparison.
    expect(result.figures.requestsOfTheLostTime).toBeLessThan(0.7 * ITEMS);
  });
});

test('rotate-master-key: three deploys under load, and nothing that was sealed is lost', async () => {
  expectAgreement(await rotateMasterKey(plan()));
});

test('rolling-deploy: two versions at work on one operation lose nothing and double nothing', async () => {
  // An archive of the sources has no history to take an earlier version from.
  if (!(await hasEarlier())) {
    process.stderr.write(
      '\n✘ No earlier version can be found in this checkout: rolling-deploy was left out.\n',
    );
    return;
  }
  const result = await rollingDeploy(plan());
  expectAgreement(result);
  expect(result.figures.migrationsAfter).toBeGreaterThan(Number(result.figures.migrationsBefore));
});

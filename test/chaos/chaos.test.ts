import { expect, test } from '@jest/globals';
import { runChaos } from './run-chaos.ts';

test('a retry of thousands loses nothing and doubles nothing unknowingly while everything is killed around it', async () => {
  const lines: string[] = [];
  const { findings, kills } = await runChaos({
    items: 2_500,
    seed: Date.now() % 100_000,
    workers: 2,
    ratePerSecond: 250,
    kills: { workers: 4, api: 1, postgres: 1, temporal: 1 },
    workflowBundle: process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '',
    withinMs: 240_000,
    say: (line) => lines.push(line),
  });
  expect({ faults: findings.faults, lines: findings.faults.length > 0 ? lines : [] }).toEqual({
    faults: [],
    lines: [],
  });
  expect(findings).toMatchObject({ state: 'completed_with_failures', counts: { expected: 2_500 } });
  expect(kills.worker).toBeGreaterThan(0);
});

import { expect, test } from '@jest/globals';
import { use } from '../support/use.ts';
import { faultsOf } from './small/check-evidence.ts';
import type { Evidence, SmallRequest } from './small/evidence.ts';
import { runScenario } from './small/run-seed.ts';
import { inWords, runSeeds } from './small/run-seeds.ts';
import type { Scenario, SmallEndpoint } from './small/scenario.ts';
import { startSmallWorld } from './small/small-world.ts';

/** Chaos in small: seeds whose processes are killed at random moments and at named points, whatever they recover. */

const SEEDS = Array.from({ length: 20 }, (_, at) => at + 1);

const world = use(
  () => startSmallWorld(2),
  ({ close }) => close(),
);

test('twenty seeds lose nothing, double nothing unknowingly, and say what is true', async () => {
  const plan = { seeds: SEEDS, items: 500, sideBySide: 5, say: () => {} };
  const { failed, ...summary } = await runSeeds(plan, world);
  expect(failed.map(inWords)).toEqual([]);
  expect(summary.seeds).toBe(SEEDS.length);
  const losses = Object.values(summary.losses).reduce((sum, n) => sum + n, 0);
  expect(losses).toBeGreaterThan(SEEDS.length / 2);
});

const WELL: SmallEndpoint = { handle: 'e0', refuses: 0, stumbles: 0, silent: 0, slowMs: 0 };

/** Nothing happens in it: whatever is wrong with its evidence was planted there. */
const QUIET: Scenario = {
  ...{ seed: 1, items: 60, roles: 'all', workers: 1, recovery: 'retry', beside: [], kills: [] },
  endpoints: [
    { ...WELL, ordered: { keys: 3, onExhausted: 'block' } },
    { ...WELL, handle: 'e1', refuses: 0.3, stumbles: 0.3 },
  ],
};

test('a ledger that was broken on purpose is found, each time by what is wrong with it', async () => {
  const { faults, evidence } = await runScenario(QUIET, world);
  expect(faults).toEqual([]);
  const planted = (change: (copy: Evidence) => void) => {
    const copy = { ...structuredClone(evidence), stalled: false };
    change(copy);
    return faultsOf(copy).join('\n');
  };
  const isTaken = ({ answered, endpoint }: SmallRequest) => answered === 200 && endpoint >= 0;
  const taken = ({ requests }: Evidence) => requests.find(isTaken) as SmallRequest;
  const attemptOf = (copy: Evidence, { id }: SmallRequest) => {
    const delivery = copy.deliveries.find(({ webhookId }) => webhookId === id)?.id;
    const before = new Set(copy.before);
    const execution = copy.ledger.executions.find(
      (each) => each.delivery_id === delivery && !before.has(each.id),
    );
    return copy.ledger.attempts.find(({ execution_id }) => execution_id === execution?.id);
  };
  const without = <T>(rows: readonly T[], row: T) => rows.filter((each) => each !== row);

  const found: [string, string][] = [
    ['was lost', planted((copy) => Object.assign(copy, { requests: without(copy.requests, taken(copy)) }))],
    ['was lost', planted((copy) => Object.assign(taken(copy), { answered: 422 }))],
    ['was doubled', planted((copy) => copy.requests.push({ ...taken(copy), attempt: 9 }))],
    ['sent more often', planted((copy) => copy.requests.push({ ...taken(copy), attempt: 9 }))],
    ['that nobody gave', planted((copy) => Object.assign(taken(copy), { answered: undefined }))],
    [
      'the ledger does not have',
      planted((copy) => Object.assign(attemptOf(copy, taken(copy)) ?? {}, { http_status: 500 })),
    ],
    [
      'and none was lost',
      planted((copy) => Object.assign(attemptOf(copy, taken(copy)) ?? {}, { fault_code: 'lease_lost' })),
    ],
    [
      'claimed at no kill',
      planted((copy) => {
        copy.lost = true;
        Object.assign(attemptOf(copy, taken(copy)) ?? {}, { fault_code: 'lease_lost' });
      }),
    ],
    ['as attempt', planted((copy) => copy.requests.push({ ...taken(copy) }))],
    // Those that failed for certain came in their order.
    ['as attempt', planted((copy) => copy.requests.reverse())],
    ['does not know it', planted((copy) => Object.assign(taken(copy), { id: 'dlv_unknown' }))],
    ['not signed', planted((copy) => Object.assign(taken(copy), { forged: 'The signature does not hold' }))],
    ['came with n', planted((copy) => Object.assign(taken(copy), { n: -1 }))],
    ['came before', planted((copy) => copy.requests.reverse())],
    ['came at once', planted((copy) => Object.assign(copy, { maxOverlap: 2 }))],
    ['before anybody had approved', planted((copy) => Object.assign(copy, { sentBefore: 1 }))],
    ['were asked for', planted((copy) => Object.assign(copy, { asked: 2 }))],
    ['has no report', planted((copy) => Object.assign(copy, { reports: [] }))],
    ['does not hold', planted((copy) => Object.assign(copy.reports[0] ?? {}, { fault: 'The signature' }))],
    ['nobody took it', planted((copy) => copy.reports[0]?.delivered.push('dlv_unknown'))],
    ['was told of 0', planted((copy) => Object.assign(copy, { told: [] }))],
    ['was told of 2', planted((copy) => copy.told.push(copy.told[0] ?? ''))],
    [
      'neither item nor excluded',
      planted((copy) => copy.planned.push({ operationId: 'op', deliveryId: 'dlv' })),
    ],
    ['did not come to its end', planted((copy) => Object.assign(copy, { unfinished: 'it waits' }))],
    ['do not add up', planted((copy) => Object.assign(copy.ledger.counts[0] ?? {}, { delivered: 0 }))],
    [
      'has not ended',
      planted((copy) => Object.assign(copy.ledger.operations[0] ?? {}, { state: 'running' })),
    ],
    [
      'has not failed',
      planted((copy) => {
        for (const delivery of copy.ledger.deliveries) delivery.state = 'delivered';
      }),
    ],
    [
      'is not delivered',
      planted((copy) => {
        for (const delivery of copy.ledger.deliveries) delivery.state = 'failed';
      }),
    ],
    [
      'is claimed still',
      planted((copy) => {
        for (const execution of copy.ledger.executions) execution.lease_token = 'token';
      }),
    ],
  ];
  for (const [words, said] of found) expect(said).toContain(words);

  // A machine that was too busy loses senders as well, and nothing else is passed over for that.
  const busy = planted((copy) => {
    copy.stalled = true;
    Object.assign(attemptOf(copy, taken(copy)) ?? {}, { fault_code: 'lease_lost' });
  });
  expect(busy).not.toContain('lost its sender');
});

import { expect, test } from '@jest/globals';
import { CRASH_POINTS } from '../../../src/telemetry/crash-points.ts';
import { fateOf, RECOVERIES, type Scenario, scenarioOf } from './scenario.ts';

/** Seeds decide everything that is ours to decide, and between them come to all of it. */

const SCENARIOS = Array.from({ length: 1_000 }, (_, at) => scenarioOf(at + 1, 500));

/** Everything that a seed decides, with the fate of each of its events. */
function decided(scenario: Scenario): string {
  const fates = scenario.endpoints.map((_, endpoint) =>
    Array.from({ length: scenario.items }, (_, n) => fateOf(scenario, endpoint, n)),
  );
  return JSON.stringify({ scenario, fates });
}

test('a seed decides the same each time, and another one something else', () => {
  for (const seed of [1, 2, 4711, 123_456_789])
    expect(decided(scenarioOf(seed, 500))).toBe(decided(scenarioOf(seed, 500)));
  expect(new Set(SCENARIOS.map((scenario) => JSON.stringify({ ...scenario, seed: 0 }))).size).toBe(
    SCENARIOS.length,
  );
});

test('a thousand seeds come to every recovery, both roles, every act beside, every kill and every point', () => {
  const seen = (of: (scenario: Scenario) => string[]) => [...new Set(SCENARIOS.flatMap(of))].sort();
  expect(seen(({ recovery }) => [recovery])).toEqual([...RECOVERIES].sort());
  expect(seen(({ roles, workers }) => [`${roles} ${workers}`])).toEqual(['all 1', 'apart 1', 'apart 2']);
  expect(seen(({ beside }) => beside.map((act) => act.do))).toEqual(
    ['again', 'cancel', 'pause', 'publish', 'rate', 'single'].sort(),
  );
  expect(seen(({ kills }) => kills.map(({ kill }) => kill))).toEqual(
    ['api', 'point', 'postgres', 'temporal', 'worker'].sort(),
  );
  expect(seen(({ kills }) => kills.flatMap((each) => (each.kill === 'point' ? [each.at] : [])))).toEqual(
    // Ledgers of some 500 lines are hashed at once, and nothing is imported.
    CRASH_POINTS.filter((point) => !['frozen', 'hashed', 'importing'].includes(point)).sort(),
  );
  expect(seen(({ endpoints }) => endpoints.map(({ ordered }) => ordered?.onExhausted ?? 'none'))).toEqual([
    'block',
    'none',
    'skip',
  ]);
});

test('at an endpoint where a failure blocks nothing is refused for good, and whatever stumbles is taken within its attempts', () => {
  for (const scenario of SCENARIOS.slice(0, 100))
    for (const [endpoint, { ordered }] of scenario.endpoints.entries())
      for (let n = 0; n < 50; n++) {
        const { before, last } = fateOf(scenario, endpoint, n);
        expect(before.length).toBeLessThanOrEqual(4);
        if (ordered?.onExhausted === 'block') expect(last).toBe('ok');
      }
});

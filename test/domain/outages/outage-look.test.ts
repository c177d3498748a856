import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isRarelyLookedAt,
  nextOfOpen,
  nextOfRecovered,
  type OpenOutageFacts,
  type RecoveredFacts,
  type RecoveryPlan,
  runsAtOnce,
  triesAfterMs,
} from '../../../src/domain/outages/outage-look.ts';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';
import { ON_RECOVERED } from '../../../src/domain/outages/outage-state.ts';

const MINUTE_MS = 60_000;

const down: OpenOutageFacts = {
  endpoint: 'enabled',
  dueSoon: false,
  restsNow: false,
  quietForMs: 0,
  trials: 0,
};
const goodFor = (forMs: number) => ({ spell: { good: 1, bad: 0, forMs } });
const open = (facts: Partial<OpenOutageFacts>) => nextOfOpen({ ...down, ...facts }, OUTAGE_RULES);

describe('an open outage', () => {
  test('has recovered when its attempts were delivered for a minute, whatever else is due', () => {
    expect(open({ ...goodFor(MINUTE_MS), dueSoon: true })).toEqual({ do: 'recover' });
    expect(open({ ...goodFor(MINUTE_MS - 1), dueSoon: true })).toEqual({ do: 'wait' });
  });

  test('has recovered by one that was delivered, or by `enable`, where nothing is due that could show it', () => {
    expect(open(goodFor(1))).toEqual({ do: 'recover' });
    expect(open({ enabledForMs: 2_000 })).toEqual({ do: 'recover' });
    // An event that was accepted just before may not be written yet.
    expect(open({ enabledForMs: 1_999 })).toEqual({ do: 'wait' });
    expect(open({ enabledForMs: 1e9, dueSoon: true })).toEqual({ do: 'wait' });
  });

  test('is tried by one delivery where it is quiet, at growing distances, and not against what the endpoint asked for', () => {
    expect(open({ quietForMs: MINUTE_MS })).toEqual({ do: 'try' });
    expect(open({ quietForMs: MINUTE_MS - 1 })).toEqual({ do: 'wait' });
    expect(open({ quietForMs: MINUTE_MS, restsNow: true })).toEqual({ do: 'wait' });
    expect(open({ quietForMs: MINUTE_MS, dueSoon: true })).toEqual({ do: 'wait' });
    expect(open({ quietForMs: MINUTE_MS, trials: 1 })).toEqual({ do: 'wait' });
    expect([0, 1, 2, 3, 4, 50].map((trials) => triesAfterMs(trials, OUTAGE_RULES) / MINUTE_MS)).toEqual([
      1, 2, 4, 8, 15, 15,
    ]);
  });

  test('waits while its endpoint is disabled, whatever it did before, and ends with it', () => {
    expect(open({ ...goodFor(1e9), endpoint: 'disabled', quietForMs: 1e9 })).toEqual({ do: 'wait' });
    expect(open({ endpoint: 'deleted' })).toEqual({ do: 'end', for: 'endpoint_deleted' });
  });
});

const back: RecoveredFacts = {
  endpoint: 'enabled',
  onRecovered: 'propose',
  forMs: 0,
  open: false,
  left: true,
  failedSince: false,
  hadOpen: false,
  plannedAgain: false,
};
const recovered = (facts: Partial<RecoveredFacts>) => nextOfRecovered({ ...back, ...facts });

describe('an outage that has recovered', () => {
  test('is closed when nothing of its window is left, when its payloads go, and with its endpoint', () => {
    expect(recovered({ left: false })).toEqual({ do: 'end', for: 'nothing_left' });
    expect(recovered({ left: false, open: true })).toEqual({ do: 'wait' });
    expect(recovered({ forMs: 1_000, retentionMs: 1_000 })).toEqual({ do: 'end', for: 'retention' });
    expect(recovered({ endpoint: 'deleted' })).toEqual({ do: 'end', for: 'endpoint_deleted' });
  });

  test('has its plan executed once that is planned, where it is to run', () => {
    const waiting = (runs: boolean, planned: boolean): RecoveryPlan => ({ is: 'waiting', runs, planned });
    expect(recovered({ plan: waiting(true, true) })).toEqual({ do: 'execute' });
    expect(recovered({ plan: waiting(true, false) })).toEqual({ do: 'wait' });
    expect(recovered({ plan: waiting(false, true) })).toEqual({ do: 'wait' });
  });

  test('is planned once more when the last that was on its way has ended, and only where something failed meanwhile', () => {
    const ended: RecoveryPlan = { is: 'ended' };
    expect(recovered({ plan: ended, failedSince: true })).toEqual({ do: 'plan_again', plan: true });
    expect(recovered({ plan: ended })).toEqual({ do: 'plan_again', plan: false });
    expect(recovered({ hadOpen: true, failedSince: true })).toEqual({ do: 'plan_again', plan: true });
    for (const facts of [
      { open: true },
      { plannedAgain: true },
      { onRecovered: 'none' as const },
      { plan: { is: 'running' } as const },
    ])
      expect(recovered({ plan: ended, hadOpen: true, failedSince: true, ...facts })).toEqual({ do: 'wait' });
  });

  test('is left alone where it asked for nothing, and ends all the same', () => {
    const facts = fc.record({
      open: fc.boolean(),
      left: fc.boolean(),
      failedSince: fc.boolean(),
      hadOpen: fc.boolean(),
      plannedAgain: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (some) => {
        expect(recovered({ ...some, onRecovered: 'none' })).toEqual(
          some.open || some.left ? { do: 'wait' } : { do: 'end', for: 'nothing_left' },
        );
      }),
    );
  });
});

test('an outage is looked at rarely where only a human does something about it', () => {
  expect([down, { ...down, endpoint: 'disabled' as const }].map(isRarelyLookedAt)).toEqual([false, true]);
  const hour = 60 * MINUTE_MS;
  const settled = [
    { ...back, forMs: hour - 1 },
    { ...back, forMs: hour },
    { ...back, forMs: hour, open: true },
  ];
  expect(settled.map(isRarelyLookedAt)).toEqual([false, true, false]);
});

test('a plan runs at once where that is asked for, and its window is three days at most', () => {
  const days = (n: number) => n * 24 * 60 * MINUTE_MS;
  const runs = ON_RECOVERED.map((asked) => [3, 3.1].map((n) => runsAtOnce(asked, days(n), OUTAGE_RULES)));
  expect(runs).toEqual([
    [false, false],
    [false, false],
    [true, false],
  ]);
});

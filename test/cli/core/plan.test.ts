import { describe, expect, test } from '@jest/globals';
import type { Asked } from '../../../cli/src/commands/retry/asked-view.ts';
import { refuseEnded } from '../../../cli/src/commands/retry/plan-state.ts';
import {
  duplicatesOf,
  type Plan,
  planLines,
  RISK_NAMES,
  runWords,
} from '../../../cli/src/commands/retry/plan-view.ts';

const NO_RISKS = Object.fromEntries(RISK_NAMES.map((risk) => [risk, 0])) as Plan['risks'];

function planOf(change: Partial<Plan>): Plan {
  return {
    ...{ id: 'pln_1', operationId: 'op_1', state: 'planned', kind: 'retry', target: 'current' },
    ...{ newIdentity: false, select: { filter: { state: ['failed'] } }, options: {}, requestedBy: 'key_1' },
    ...{ reason: null, ticket: null, planHash: 'abc', count: { items: 12, basis: 'exact', sends: 12 } },
    ...{ risks: NO_RISKS, endpoints: [], endpointCount: 0, timeToFinish: null, endedFor: null },
    ...{ executedAt: null, expiresAt: '2026-11-04T02:00:00Z', ...change },
  } as Plan;
}

const text = (change: Partial<Plan>) => planLines(planOf(change)).join('\n');

describe('a plan shows what runs', () => {
  test('what it selects, how it is sent, why and by whom', () => {
    expect(text({ reason: 'the outage is over', ticket: 'OPS-1' })).toMatch(
      /selected +failed deliveries, everything\nkind +retry\nreason +the outage is over\nticket +OPS-1\nby +key_1\n/,
    );
    expect(text({ kind: 'replay' })).toMatch(/kind +replay: also what is delivered.*same webhook-id/);
    expect(text({ kind: 'replay', newIdentity: true })).toMatch(/kind +replay with a new identity/);
    expect(text({ target: 'original' })).toMatch(/target +original/);
  });

  test('every option that is set, and none that is not', () => {
    const options: Required<Asked['options']> = {
      ...{ ratePerSecond: 50, maxConcurrency: 10, haltAtFailurePercent: 40, giveUpAfterMs: 5_400_000 },
      ...{ canary: { count: 25, maxFailurePercent: 7 }, ramp: { startPerSecond: 5, everySeconds: 60 } },
      ...{ notBefore: '2026-11-03T02:00:00Z', disabledPatienceMs: 1_500, takeOverScheduled: true },
      ...{ includeResent: true, onAmbiguous: 'hold', matchFilter: true },
    };
    const said = text({ options });
    for (const words of [
      ...[
        '50/s at most',
        '10 requests at a time',
        '25 of each endpoint first, at most 7 %',
        'more than 40 %',
      ],
      ...['begins with 5/s, doubles every 1 min', '2026-11-03 02:00:00Z', 'after 1 h 30 min', '1500 ms'],
      ...['scheduled elsewhere', 'sent again', 'hold', 'does not want by now'],
    ])
      expect(said).toContain(words);
    expect(planLines(planOf({ options })).length - planLines(planOf({})).length).toBe(
      Object.keys(options).length,
    );
    expect(text({ options: { takeOverScheduled: false } })).not.toContain('takes over');
  });

  test('selections that only other APIs have', () => {
    expect(text({ select: { afresh: { sources: ['crm'] }, tenants: 'all' } })).toContain(
      'events matched afresh: sources crm, all tenants',
    );
    expect(text({ select: { filter: { newest: { states: ['failed'] } } } })).toContain(
      'newest {"states":["failed"]}',
    );
  });

  test('what is delivered already: a retry leaves it alone, a replay sends it again', () => {
    const risks = { ...NO_RISKS, alreadyDelivered: 3, mayHaveArrived: 2 };
    expect(text({ risks })).toContain('left alone');
    expect(text({ risks, kind: 'replay' })).toMatch(/they are sent again, with the same webhook-id/);
    const anew = text({ risks, kind: 'replay', newIdentity: true });
    expect(anew).toMatch(/they are sent again, each as a new delivery/);
    expect(anew).not.toContain('same webhook-id');
  });
});

test('what may arrive twice: with a new identity no fewer, for no receiver knows them again', () => {
  const risks = { ...NO_RISKS, alreadyDelivered: 3, mayHaveArrived: 2 };
  expect(duplicatesOf({ risks, kind: 'retry' })).toBe(2);
  expect(duplicatesOf(planOf({ risks, kind: 'replay' }))).toBe(5);
  expect(duplicatesOf(planOf({ risks, kind: 'replay', newIdentity: true }))).toBe(5);
});

describe('a plan that has ended', () => {
  test.each([
    ['plan_expired', 'nobody executed it in time'],
    ['approval_expired', 'nobody approved it in time'],
    ['rejected', 'an approver rejected it'],
    ['cancelled', 'somebody cancelled it'],
  ] as const)('says that it is, and why: %s', (endedFor, words) => {
    const said = text({ state: 'cancelled', endedFor, expiresAt: null });
    expect(said).toMatch(new RegExp(`state +cancelled: ${words}`));
    expect(said).not.toContain('valid until');
  });

  test('is refused before anybody is asked; one that was executed is joined', () => {
    expect(() => refuseEnded(planOf({ state: 'cancelled', endedFor: 'plan_expired' }))).toThrow(
      /pln_1 cannot be executed: it is cancelled: nobody executed it in time/,
    );
    expect(() => refuseEnded(planOf({ state: 'closing', endedFor: 'cancelled' }))).toThrow(
      /it is closing: somebody cancelled it/,
    );
    refuseEnded(planOf({ state: 'cancelled', endedFor: 'rejected', executedAt: '2026-11-03T02:00:00Z' }));
    refuseEnded(planOf({}));
  });
});

test('a plan of nothing leads nowhere', () => {
  expect(runWords(planOf({}))).toContain('redrive retry execute pln_1 --hash abc');
  expect(runWords(planOf({ count: { items: 0, basis: 'exact', sends: 0 } }))).toContain('nothing to send');
});

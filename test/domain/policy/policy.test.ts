import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { judge } from '../../../src/domain/policy/judgement.ts';
import {
  APPROVE_WHEN,
  canHoldUpTo,
  inForce,
  NO_POLICY,
  type Policy,
  QUOTAS,
} from '../../../src/domain/policy/policy.ts';

const limit = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined });

const anyPolicy: fc.Arbitrary<Policy> = fc
  .record({
    reasonAbove: limit,
    approveAbove: limit,
    approveWhen: fc.subarray([...APPROVE_WHEN]),
    approvers: fc.record({ count: fc.integer({ min: 1, max: 5 }) }),
    quotas: fc.record({ itemsPerOperation: limit, ratePerSecond: limit }),
  })
  .map(
    ({ quotas, ...policy }) =>
      ({
        ...Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)),
        quotas: Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined)),
        freezeWindows: [],
      }) as unknown as Policy,
  );

const anyFacts = fc.record({
  kind: fc.constantFrom('retry' as const, 'replay' as const),
  target: fc.constantFrom('original' as const, 'current' as const),
  items: fc.integer({ min: 0, max: 25 }),
  risks: fc.record({
    mayHaveArrived: fc.nat(1),
    addressChanged: fc.nat(1),
    alreadyDelivered: fc.nat(1),
  }),
  overQuota: fc.subarray([...QUOTAS]),
});

describe('policies that hold together', () => {
  test('ask for all that each of them asks for, so that none can be softened', () => {
    fc.assert(
      fc.property(fc.array(anyPolicy, { minLength: 1, maxLength: 3 }), anyFacts, (policies, facts) => {
        const together = judge(inForce(policies), facts);
        for (const policy of policies) {
          const alone = judge(inForce([policy]), facts);
          expect(together.missing).toEqual(expect.arrayContaining(alone.missing));
          expect(together.because).toEqual(expect.arrayContaining(alone.because));
          expect(together.approvers).toBeGreaterThanOrEqual(alone.approvers);
        }
      }),
    );
  });

  test('take the sharper of each member', () => {
    const floor = {
      ...NO_POLICY,
      reasonAbove: 100,
      ticketPattern: 'OPS-\\d+',
      approveWhen: ['mayHaveArrived' as const],
      quotas: { ratePerSecond: 50, itemsPerDay: 10 },
    };
    const own = {
      ...NO_POLICY,
      reasonAbove: 500,
      ticketPattern: '[A-Z]+-\\d{3}',
      approveAbove: 7,
      approvers: { count: 3 },
      quotas: { ratePerSecond: 80 },
    };
    expect(inForce([floor, own])).toEqual({
      reasonAbove: 100,
      ticketPatterns: ['OPS-\\d+', '[A-Z]+-\\d{3}'],
      approveAbove: 7,
      approveWhen: ['mayHaveArrived'],
      approvers: { count: 3 },
      quotas: { ratePerSecond: 50, itemsPerDay: 10 },
      freezeWindows: [],
    });
  });

  test('hold nothing that they cannot hold: an operation below every number need not be looked at', () => {
    fc.assert(
      fc.property(anyPolicy, anyFacts, (policy, facts) => {
        const rules = inForce([policy]);
        const { missing, because } = judge(rules, { ...facts, overQuota: [] });
        if (!canHoldUpTo(rules, facts.items)) expect([missing, because]).toEqual([[], []]);
      }),
    );
    expect(canHoldUpTo(inForce([NO_POLICY]), Number.POSITIVE_INFINITY)).toBe(false);
    expect(canHoldUpTo(inForce([{ ...NO_POLICY, quotas: { openOperations: 1 } }]), 1)).toBe(true);
  });
});

describe('a judgement', () => {
  const FACTS = {
    kind: 'retry',
    target: 'current',
    items: 10,
    risks: { mayHaveArrived: 0, addressChanged: 0, alreadyDelivered: 0 },
    overQuota: [],
  } as const;
  const by = (policy: Partial<Policy>, facts: object = {}) =>
    judge(inForce([{ ...NO_POLICY, ...policy }]), { ...FACTS, ...facts });

  test('without a rule that applies asks for nothing', () => {
    expect(by({})).toEqual({ missing: [], because: [], approvers: 0 });
    expect(by({ approveAbove: 10, reasonAbove: 10 })).toEqual({ missing: [], because: [], approvers: 0 });
  });

  test('asks for approval above a number of deliveries, by as many as the policy says', () => {
    expect(by({ approveAbove: 9, approvers: { count: 2 } })).toEqual({
      missing: [],
      because: ['items'],
      approvers: 2,
    });
    expect(by({ approveAbove: 0 }, { items: 0 }).because).toEqual([]);
  });

  test('asks for a reason above a number, and for a ticket of each form', () => {
    expect(by({ reasonAbove: 9 }).missing).toEqual(['reason']);
    expect(by({ reasonAbove: 9 }, { reason: 'why' }).missing).toEqual([]);
    const form = { reasonAbove: 9, ticketPattern: 'OPS-\\d+' };
    expect(by(form).missing).toEqual(['reason', 'ticket']);
    expect(by(form, { reason: 'why', ticket: 'OPS-x' }).missing).toEqual(['ticket']);
    expect(by(form, { reason: 'why', ticket: 'OPS-1' }).missing).toEqual([]);
    expect(by(form, { items: 9 }).missing).toEqual([]);
  });

  test.each([
    ['mayHaveArrived', { risks: { ...FACTS.risks, mayHaveArrived: 1 } }, true],
    ['mayHaveArrived', {}, false],
    ['endpointChanged', { risks: { ...FACTS.risks, addressChanged: 1 } }, true],
    ['endpointChanged', { risks: { ...FACTS.risks, addressChanged: 1 }, target: 'original' }, false],
    ['replayOfDelivered', { risks: { ...FACTS.risks, alreadyDelivered: 1 }, kind: 'replay' }, true],
    ['replayOfDelivered', { risks: { ...FACTS.risks, alreadyDelivered: 1 } }, false],
    ['replayOfDelivered', { kind: 'replay' }, false],
  ] as const)('of %s with %j is %s', (when, facts, asks) => {
    expect(by({ approveWhen: [when] }, facts).because).toEqual(asks ? [when] : []);
    expect(by({}, facts).because).toEqual([]);
  });

  test('names each quota that is exceeded', () => {
    expect(by({}, { overQuota: ['itemsPerDay', 'ratePerSecond'] })).toMatchObject({
      because: ['itemsPerDay', 'ratePerSecond'],
      approvers: 1,
    });
  });
});

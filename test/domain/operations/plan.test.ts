import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  driftsTooFar,
  hashedText,
  type PlanDrift,
  planIdentity,
} from '../../../src/domain/operations/plan.ts';
import { LEFT_OUT, PLAN_RISKS, riskBit, risksIn } from '../../../src/domain/operations/plan-risks.ts';
import { anyId } from '../../support/store/any-id.ts';

test('the risks of a delivery are told from its bits, whether it is left out or not', () => {
  fc.assert(
    fc.property(fc.subarray([...PLAN_RISKS]), fc.boolean(), (risks, leftOut) => {
      const bits = risks.reduce((sum, risk) => sum | riskBit(risk), leftOut ? LEFT_OUT : 0);
      expect(risksIn(bits)).toEqual(risks);
      // They are kept in two bytes, with a sign.
      expect(bits).toBeLessThan(2 ** 15);
    }),
  );
});

test('a drift is too large where more than the share that is allowed is gone; what was added counts for nothing', () => {
  const drift = (gone: number, added = 0): PlanDrift => ({
    gone: { already_delivered: gone },
    endpointChanged: [],
    added,
  });
  expect(driftsTooFar(drift(100), 100, undefined)).toBe(false);
  expect(driftsTooFar(drift(5, 1_000), 100, 5)).toBe(false);
  expect(driftsTooFar(drift(6), 100, 5)).toBe(true);
  expect(driftsTooFar(drift(1), 100, 0)).toBe(true);
  expect(driftsTooFar(drift(0), 0, 0)).toBe(false);
});

test('the identity is one text, whatever the order of its members, and differs where anything of it does', () => {
  const operation = {
    tenantId: anyId('t'),
    kind: 'retry',
    target: 'current',
    newIdentity: false,
    selection: { filter: {} },
    options: { ratePerSecond: 5 },
  } as const;
  const found = {
    watermark: '2026-11-03T02:00:00.000001Z',
    items: 1,
    itemsDigest: 'a',
    risksDigest: 'b',
    endpointVersions: { [anyId('e') as string]: 1 },
  };
  const text = hashedText(planIdentity(operation, found));
  expect(text).toBe(
    '{"endpointVersions":{"e":1},"items":1,"itemsDigest":"a","kind":"retry","mode":"retry","newIdentity":false,"options":{"ratePerSecond":5},"risksDigest":"b","selection":{"filter":{}},"target":"current","tenant":"t","v":1,"watermark":"2026-11-03T02:00:00.000001Z"}',
  );
  for (const other of [
    planIdentity({ ...operation, kind: 'replay' }, found),
    planIdentity({ ...operation, newIdentity: true }, found),
    planIdentity({ ...operation, options: { ratePerSecond: 6 } }, found),
    planIdentity(operation, { ...found, risksDigest: 'c' }),
    planIdentity(operation, { ...found, endpointVersions: { [anyId('e') as string]: 2 } }),
  ])
    expect(hashedText(other)).not.toBe(text);
});

import { expect, test } from '@jest/globals';
import { policyIn } from '../../../cli/src/core/policy-file.ts';

test('the members of a policy are sent as a file holds them', () => {
  const file = { approveAbove: 100, quotas: { itemsPerDay: 5 }, digest: 'abc' };
  expect(policyIn(file)).toEqual(file);
});

test('of what was shown the policy is sent, with its digest and without what says nothing', () => {
  const window = { zone: 'UTC', days: ['mon'], from: '01:00', to: '02:00' };
  const policy = {
    ...{ reasonAbove: null, ticketPattern: null, approveAbove: 0, approveWhen: [], approvers: { count: 2 } },
    ...{ quotas: { itemsPerDay: 5, openOperations: null } },
    freezeWindows: [
      { ...window, endpoints: null },
      { ...window, endpoints: ['end_1'] },
    ],
  };
  expect(policyIn({ id: 'tnt_1', policy, digest: 'abc', inForce: null, changedAt: null })).toEqual({
    ...{ approveAbove: 0, approveWhen: [], approvers: { count: 2 }, quotas: { itemsPerDay: 5 } },
    freezeWindows: [window, { ...window, endpoints: ['end_1'] }],
    digest: 'abc',
  });
});

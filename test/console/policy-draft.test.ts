import { describe, expect, test } from '@jest/globals';
import {
  bodyOf,
  draftOf,
  type PolicyDraft,
  policyLabel,
  takenIn,
  wrongIn,
} from '../../console/src/screens/settings/policy-draft.ts';

const WINDOW = { zone: 'UTC', days: ['mon' as const], from: '01:00', to: '02:00', endpoints: null };
const NO_QUOTAS = { itemsPerOperation: null, itemsPerDay: null, openOperations: null, ratePerSecond: null };

const KEPT = {
  ...{ reasonAbove: 10, ticketPattern: null, approveAbove: 1_000, approveWhen: [], approvers: { count: 2 } },
  quotas: { ...NO_QUOTAS, ratePerSecond: 50 },
  freezeWindows: [WINDOW],
};
const READ = draftOf(KEPT);

/** What a form over `READ` says and holds where somebody else has made `now` of it. */
const meeting = (now: Partial<PolicyDraft>, typed: Partial<PolicyDraft>) =>
  takenIn(READ, { ...READ, ...now }, { ...READ, ...typed });

describe('the form of a policy', () => {
  test('sends back all that it was given, with the digest of what it replaces', () => {
    expect(bodyOf(READ, 'abc')).toEqual({
      ...{ digest: 'abc', reasonAbove: 10, approveAbove: 1_000, approveWhen: [], approvers: { count: 2 } },
      ...{ quotas: { ratePerSecond: 50 } },
      freezeWindows: [{ zone: 'UTC', days: ['mon'], from: '01:00', to: '02:00' }],
    });
    expect(wrongIn({ ...READ, itemsPerDay: 'all' })).toMatch(/no number/);
  });

  test('takes in what somebody else has changed where nothing was typed, and says so', () => {
    const { draft, changes } = meeting(
      { approveAbove: '5', ticketPattern: 'OPS-\\d+', freezeWindows: [] },
      { reasonAbove: '20' },
    );
    expect(draft).toEqual({
      ...READ,
      ...{ approveAbove: '5', ticketPattern: 'OPS-\\d+', freezeWindows: [], reasonAbove: '20' },
    });
    expect(changes.map(({ member, now, typed }) => [policyLabel(member), now, typed])).toEqual([
      ['Form of a ticket', 'OPS-\\d+', false],
      ['Approval above, deliveries', '5', false],
      ['Freeze windows', 'none', false],
    ]);
  });

  test('keeps what was typed over what somebody else has changed, and names theirs', () => {
    const { draft, changes } = meeting(
      { approveAbove: '', approveWhen: ['mayHaveArrived'] },
      { approveAbove: '7', approveWhen: [] },
    );
    expect(draft).toMatchObject({ approveAbove: '7', approveWhen: ['mayHaveArrived'] });
    expect(changes).toEqual([
      { member: 'approveAbove', now: 'none', typed: true },
      { member: 'approveWhen', now: 'may have arrived', typed: false },
    ]);
  });

  test('keeps nothing against theirs where both have typed the same', () => {
    const { draft, changes } = meeting({ approvers: '3' }, { approvers: '3' });
    expect(draft.approvers).toBe('3');
    expect(changes).toEqual([{ member: 'approvers', now: '3', typed: false }]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { type Approver, refusedApprover } from '../../../src/domain/policy/approver.ts';
import { releasedBy } from '../../../src/domain/policy/hold.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';

const key = (name: string) => name as Id<'key'>;
const ALICE = { actor: 'actor:alice', keyId: key('a') };
const BOB: Approver = { actor: 'actor:bob', keyId: key('b'), named: true, makers: [] };

describe('who may approve', () => {
  test('is somebody else, who has a name', () => {
    expect(refusedApprover(BOB, [ALICE])).toBeUndefined();
    expect(refusedApprover({ ...BOB, named: false }, [ALICE])).toBe('no_actor');
  });

  test('is nobody who asked for it, by whatever key; nor the key by which somebody asked', () => {
    expect(refusedApprover({ ...BOB, actor: 'actor:alice' }, [ALICE])).toBe('own_request');
    expect(refusedApprover({ ...BOB, keyId: key('a') }, [ALICE])).toBe('own_key');
    expect(refusedApprover(BOB, [ALICE, { actor: 'actor:bob' }])).toBe('own_request');
  });

  test('is nobody whose credential the requester has made, or has made the maker of', () => {
    const madeBy = (...makers: Approver['makers']) => refusedApprover({ ...BOB, makers }, [ALICE]);
    expect(madeBy({ actor: 'actor:carol', keyId: key('c') })).toBeUndefined();
    expect(madeBy({ actor: 'actor:alice', keyId: key('other') })).toBe('made_by_requester');
    expect(madeBy({ actor: 'key_a', keyId: key('a') })).toBe('made_by_requester');
    expect(madeBy({ actor: 'actor:carol' }, { actor: 'actor:alice' })).toBe('made_by_requester');
    // Two who have no key are not one.
    expect(refusedApprover({ ...BOB, makers: [{ actor: 'x' }] }, [{ actor: 'y' }])).toBeUndefined();
  });
});

test('a hold ends with all that it asked for, and not before', () => {
  const verdict = { verdict: 'approve', actor: 'actor:bob', at: new Date() } as const;
  const hold = { missing: [], approvers: 2, verdicts: [verdict] };
  expect(releasedBy(hold)).toBeUndefined();
  expect(releasedBy({ ...hold, verdicts: [verdict, verdict] })).toBe('approved');
  expect(releasedBy({ ...hold, missing: ['reason'], verdicts: [verdict, verdict] })).toBeUndefined();
  expect(releasedBy({ ...hold, approvers: 0, missing: [], verdicts: [] })).toBe('explained');
  expect(releasedBy({ ...hold, verdicts: [verdict, { ...verdict, verdict: 'reject' }] })).toBeUndefined();
});

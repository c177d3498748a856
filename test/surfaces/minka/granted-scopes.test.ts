import { describe, expect, test } from '@jest/globals';
import type { AccessRule } from '../../../src/surfaces/minka/access-rule.ts';
import { lackedScope, scopeLackedFor } from '../../../src/surfaces/minka/administration/granted-scopes.ts';

const ALL = ['write:deliveries', 'read:deliveries', 'read:endpoints'];

describe('a rule grants', () => {
  test.each<[AccessRule['action'], string[]]>([
    ['retry-event', ['write:deliveries']],
    ['query-event', ['read:deliveries']],
    ['read', ['read:endpoints']],
    [{ $in: ['read', 'query-event'] }, ['read:endpoints', 'read:deliveries']],
    ['any', ALL],
    [{ $in: ['read', 'any'] }, ALL],
  ])('%j no more than %j', (action, needed) => {
    expect(lackedScope([{ action }], ['write:keys', ...needed])).toBeUndefined();
    expect(lackedScope([{ action }], ['admin'])).toBeUndefined();
    for (const without of needed)
      expect(lackedScope([{ action }], ['write:keys', ...ALL.filter((scope) => scope !== without)])).toBe(
        without,
      );
  });
});

describe('a new signer gets what a rule grants', () => {
  const KEY = 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=';
  const lacked = (rule: Omit<AccessRule, 'action'>) =>
    scopeLackedFor({ handle: 'mint', public: KEY }, [{ action: 'read', ...rule }], ['write:keys']);

  test.each<Omit<AccessRule, 'action'>>([
    {},
    { record: 'bridge' },
    { signer: 'any' },
    { bearer: 'any' },
    { signer: 'any', bearer: { $signer: 'any' } },
    { signer: { $in: ['other', 'any'] } },
    { signer: 'mint' },
    { signer: KEY },
    { signer: { public: KEY } },
    { bearer: { $in: ['other', { handle: 'mint' }] } },
    // Of two signers each has a part in it.
    { signer: 'mint', bearer: 'other' },
    { signer: 'other', bearer: { $signer: 'mint' } },
    { signer: 'any', bearer: 'mint' },
  ])('by %j', (rule) => {
    expect(lacked(rule)).toBe('read:endpoints');
  });

  test.each<Omit<AccessRule, 'action'>>([
    { signer: 'other' },
    { bearer: 'other' },
    { signer: 'other', bearer: 'any' },
    { signer: { handle: 'mint', public: 'another' } },
  ])('but not by %j', (rule) => {
    expect(lacked(rule)).toBeUndefined();
  });
});

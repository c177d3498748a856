import { expect, test } from '@jest/globals';
import { GRANT_SCOPES, GRANTS } from '../../../src/domain/tenancy/grant.ts';
import { hasScope, SCOPES, TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import { isBeyondProduct } from '../../../src/surfaces/flowrelay/domain/product-boundary.ts';

test('each grant has all of the one before, and something of its own', () => {
  for (const [n, grant] of GRANTS.entries()) {
    const before = GRANTS[n - 1];
    if (before === undefined) continue;
    expect(GRANT_SCOPES[grant]).toEqual(expect.arrayContaining([...GRANT_SCOPES[before]]));
    expect(GRANT_SCOPES[grant].length).toBeGreaterThan(GRANT_SCOPES[before].length);
  }
});

test('no grant has a whole of which only a part is meant, nor makes keys', () => {
  for (const grant of GRANTS)
    for (const scope of ['admin', 'write:keys', 'write:endpoints', 'write:deliveries'] as const)
      expect(hasScope(GRANT_SCOPES[grant], scope)).toBe(false);
});

test('a scope has its parts, and the other way round nothing', () => {
  expect(hasScope(['write:endpoints'], 'rotate:secrets')).toBe(true);
  expect(hasScope(['write:deliveries'], 'replay:receipts')).toBe(true);
  expect(hasScope(['rotate:secrets'], 'write:endpoints')).toBe(false);
  expect(hasScope(['rotate:secrets'], 'edit:endpoints')).toBe(false);
  expect(hasScope(['write:endpoints'], 'write:deliveries')).toBe(false);
  for (const scope of SCOPES) expect(hasScope(['admin'], scope)).toBe(true);
  for (const scope of SCOPES.filter((each) => each !== 'admin'))
    expect(hasScope(TENANT_SCOPES, scope)).toBe(true);
});

test.each([
  'retry',
  'retryPolicy',
  'retry_schedule',
  'Retries',
  'schedule',
  'max-attempts',
  'backoffMs',
  'notBefore',
  'delaySeconds',
  'policy',
  'url',
  'targetUrl',
  'destination',
  'payload',
  'body',
  'headers',
  'newIdentity',
])('%s is beyond the product', (member) => {
  expect(isBeyondProduct(member)).toBe(true);
});

test.each(['endpoint', 'confirm', 'surprise', 'reason', '', '__proto__'])(
  '%s is merely unknown',
  (member) => {
    expect(isBeyondProduct(member)).toBe(false);
  },
);

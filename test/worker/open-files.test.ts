import { expect, test } from '@jest/globals';
import { socketsWithin } from '../../src/worker/open-files.ts';

test('sockets beyond those that are always there are bounded by what the system allows', async () => {
  expect(await socketsWithin(0, 100)).toBe(0);
  expect([0, 100]).toContain(await socketsWithin(100, Number.MAX_SAFE_INTEGER));
  const all = await socketsWithin(10, 0);
  expect(all).toBeGreaterThanOrEqual(0);
  expect(all).toBeLessThanOrEqual(10);
});

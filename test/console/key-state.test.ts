import { expect, test } from '@jest/globals';
import { keyState } from '../../console/src/screens/settings/key-state.ts';

const NOW = new Date('2026-11-03T12:00:00.000Z');

test('a key is good until it expires or is revoked', () => {
  const state = (expiresAt: string | null, revokedAt: string | null = null) =>
    keyState({ expiresAt, revokedAt }, NOW);
  expect(state(null)).toBe('good');
  expect(state('2026-11-03T12:00:00.001Z')).toBe('good');
  expect(state('2026-11-03T12:00:00.000Z')).toBe('expired');
  expect(state('2026-11-01T00:00:00.000Z', '2026-11-02T00:00:00.000Z')).toBe('revoked');
});

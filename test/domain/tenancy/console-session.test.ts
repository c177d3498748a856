import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  SESSION_IDLE_MS,
  SESSION_LIFE_MS,
  type SessionFacts,
  sessionEnd,
  sessionEndsAt,
} from '../../../src/domain/tenancy/console-session.ts';

const OPENED = new Date('2026-11-03T02:00:00Z');
const after = (ms: number) => new Date(OPENED.getTime() + ms);
const facts = (changes: Partial<SessionFacts> = {}): SessionFacts => ({
  createdAt: OPENED,
  seenAt: OPENED,
  credentialRevoked: false,
  ...changes,
});

test.each<[string, Partial<SessionFacts>, number, ReturnType<typeof sessionEnd>]>([
  ['just opened', {}, 0, undefined],
  ['unused until just before', {}, SESSION_IDLE_MS - 1, undefined],
  ['unused for 12 hours', {}, SESSION_IDLE_MS, 'idle'],
  ['used until just before', { seenAt: after(SESSION_LIFE_MS - 2) }, SESSION_LIFE_MS - 1, undefined],
  ['used for 24 hours', { seenAt: after(SESSION_LIFE_MS - 1) }, SESSION_LIFE_MS, 'too_old'],
  ['whose key was revoked', { credentialRevoked: true }, 0, 'credential_revoked'],
  ['whose key has yet to expire', { credentialExpiresAt: after(1) }, 0, undefined],
  ['whose key has expired', { credentialExpiresAt: after(1) }, 1, 'credential_expired'],
  ['that was signed out', { endedAt: after(0) }, 0, 'signed_out'],
])('a session %s', (_, changes, ms, end) => {
  expect(sessionEnd(facts(changes), after(ms))).toBe(end);
});

test('a session is never open again, and never open at the end that was told', () => {
  const ms = fc.integer({ min: 0, max: 2 * SESSION_LIFE_MS });
  fc.assert(
    fc.property(
      fc.record(
        { seenAt: ms.map(after), credentialExpiresAt: ms.map(after), credentialRevoked: fc.boolean() },
        { requiredKeys: [] },
      ),
      ms,
      ms,
      (changes, earlier, later) => {
        const session = facts(changes);
        if (sessionEnd(session, after(earlier)))
          expect(sessionEnd(session, after(earlier + later))).toBeDefined();
        expect(sessionEnd(session, sessionEndsAt(session))).toBeDefined();
      },
    ),
  );
});

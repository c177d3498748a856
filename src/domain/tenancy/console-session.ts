/** A session that nobody has used for as long is over. */
export const SESSION_IDLE_MS = 12 * 60 * 60 * 1_000;

/** A session is over after this time, whoever uses it. */
export const SESSION_LIFE_MS = 24 * 60 * 60 * 1_000;

/** A use is written down where the last one that was is older. */
export const SESSION_SEEN_EVERY_MS = 60_000;

/** A code that signs in can be used for as long. */
export const SIGN_IN_CODE_LIFE_MS = 60_000;

/** The facts that a session ends by. */
export interface SessionFacts {
  createdAt: Date;
  seenAt: Date;
  /** Set where somebody signed out. */
  endedAt?: Date;
  /** The key, or the issuer of the token, that it was opened with was revoked. */
  credentialRevoked: boolean;
  /** When that key or token expires. */
  credentialExpiresAt?: Date;
}

/** Why a session is over. */
export type SessionEnd = 'signed_out' | 'credential_revoked' | 'credential_expired' | 'too_old' | 'idle';

/** Whether a session is over, and why; the time is that of the database, as its facts are. */
export function sessionEnd(facts: SessionFacts, now: Date): SessionEnd | undefined {
  if (facts.endedAt) return 'signed_out';
  if (facts.credentialRevoked) return 'credential_revoked';
  if (facts.credentialExpiresAt && facts.credentialExpiresAt <= now) return 'credential_expired';
  if (now.getTime() >= facts.createdAt.getTime() + SESSION_LIFE_MS) return 'too_old';
  if (now.getTime() >= facts.seenAt.getTime() + SESSION_IDLE_MS) return 'idle';
  return undefined;
}

/** When a session is over at the latest, if it is used until then and its credential is not revoked. */
export function sessionEndsAt({
  createdAt,
  credentialExpiresAt,
}: Pick<SessionFacts, 'createdAt' | 'credentialExpiresAt'>): Date {
  const oldest = createdAt.getTime() + SESSION_LIFE_MS;
  return new Date(Math.min(oldest, credentialExpiresAt?.getTime() ?? oldest));
}

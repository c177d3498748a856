import type { Schema } from '../../api/client.ts';

/** Whether a key is taken: from the moment at which it expires it is not, as if somebody had revoked it. */
export function keyState(
  { revokedAt, expiresAt }: Pick<Schema<'Key'>, 'revokedAt' | 'expiresAt'>,
  now: Date,
): 'good' | 'expired' | 'revoked' {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && Date.parse(expiresAt) <= now.getTime() ? 'expired' : 'good';
}

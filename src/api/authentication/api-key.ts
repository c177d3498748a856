import { createHash, randomBytes } from 'node:crypto';

/** A new API key: 256 random bits. It is shown once; only its hash is kept. */
export function makeApiKey(): string {
  return `rdk_${randomBytes(32).toString('base64url')}`;
}

/** The hash that is kept of a key. A plain SHA-256 is enough for 256 random bits: there is nothing to guess. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

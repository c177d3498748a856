import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { fromBase64, toBase64 } from '../bytes.ts';

const PREFIX = 'whsec_';

/** The bytes of a signing secret, `whsec_` and base64; undefined where it is something else. */
export function secretBytes(secret: string): Uint8Array | undefined {
  const bytes = fromBase64(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}

/** `v1,` and base64 of HMAC-SHA256 over these parts, one behind the other. */
export function signatureOver(key: Uint8Array, ...parts: (string | Uint8Array)[]): string {
  const mac = hmac.create(sha256, key);
  for (const part of parts) mac.update(typeof part === 'string' ? new TextEncoder().encode(part) : part);
  return `v1,${toBase64(mac.digest())}`;
}

/** Whether two texts are the same, in a time that does not tell where they begin to differ. */
export function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let differs = 0;
  for (let at = 0; at < a.length; at += 1) differs |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return differs === 0;
}

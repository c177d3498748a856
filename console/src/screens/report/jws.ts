import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';

/** A JSON Web Signature in flattened JSON (RFC 7515). */
export interface Jws {
  payload: string;
  protected: string;
  signature: string;
}

/** A public key of a set. */
export interface Jwk {
  kid: string;
  kty: string;
  crv: string;
  x: string;
  retiredAt?: string;
  revokedAt?: string;
}

/** What a look at a signature came to. */
export type Verdict =
  | { holds: true; payload: unknown; type: string | undefined; kid: string; thumbprint: string; key: Jwk }
  | { holds: false; why: string; kid?: string };

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Whether this was signed by a key of the set. The curve is in the bundle: browsers have one of their own only over https
 * and on loopback, and a proof that depends on that is none.
 */
export function verifyJws(jws: Jws, keys: readonly Jwk[]): Verdict {
  const header = readObject(jws.protected);
  const kid = typeof header?.kid === 'string' ? header.kid : undefined;
  if (!header || kid === undefined) return { holds: false, why: 'Its header cannot be read.' };
  if (header.alg !== 'EdDSA')
    return { holds: false, why: `It is signed by ${String(header.alg)}, not by EdDSA.`, kid };
  const key = keys.find((each) => each.kid === kid);
  if (!key) return { holds: false, why: 'No key of the set has the name that it gives.', kid };
  if (key.kty !== 'OKP' || key.crv !== 'Ed25519')
    return { holds: false, why: 'Its key is none of Ed25519.', kid };
  const [signature, publicKey] = [fromBase64Url(jws.signature), fromBase64Url(key.x)];
  const signed = new TextEncoder().encode(`${jws.protected}.${jws.payload}`);
  if (!signature || !publicKey || !isSigned(signature, signed, publicKey))
    return {
      holds: false,
      why: 'The signature is not by this key over these bytes: something was changed.',
      kid,
    };
  if (key.revokedAt !== undefined)
    return {
      holds: false,
      why: `Its key was revoked at ${key.revokedAt}: such a signature proves nothing by itself.`,
      kid,
    };
  const payload = readObject(jws.payload);
  if (!payload) return { holds: false, why: 'Its payload cannot be read.', kid };
  const type = typeof header.typ === 'string' ? header.typ : undefined;
  return { holds: true, payload, type, kid, thumbprint: thumbprintOf(key), key };
}

function isSigned(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, message, publicKey);
  } catch {
    return false;
  }
}

/** The name of a key that nobody can choose: the SHA-256 of its members (RFC 7638), in base64url. */
export function thumbprintOf({ crv, kty, x }: Jwk): string {
  const digest = sha256(new TextEncoder().encode(JSON.stringify({ crv, kty, x })));
  return btoa(String.fromCharCode(...digest))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/** The keys in the text of a JWKS file. */
export function keysIn(text: string): Jwk[] {
  const set: unknown = JSON.parse(text);
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new Error('Expected an object with `keys`.');
  return keys.filter(
    (key): key is Jwk =>
      typeof key === 'object' && key !== null && 'kid' in key && 'x' in key && 'crv' in key,
  );
}

function readObject(text: string): Record<string, unknown> | undefined {
  const bytes = fromBase64Url(text);
  if (!bytes) return undefined;
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

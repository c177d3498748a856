import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { fromBase64Url, toBase64Url } from '../bytes.ts';
import { hasOnly, isObject, type Members, objectIn, valueIn } from './json.ts';

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

/** A key set (RFC 7517), as `/.well-known/redrive/jwks.json` shows it and a saved copy has it. */
export interface KeySet {
  keys: readonly object[];
}

/** Why a signature does not hold. */
export type SignatureFault =
  | 'unreadable'
  | 'other_algorithm'
  | 'unknown_key'
  | 'other_key'
  | 'bad_signature'
  | 'revoked_key';

/** What a look at a signature came to. */
export type Verdict =
  | {
      holds: true;
      payload: Members;
      /** SHA-256 of what was signed, in hexadecimal: the name by which addenda and the audit call it. */
      digest: string;
      type: string | undefined;
      kid: string;
      thumbprint: string;
      key: Jwk;
    }
  | { holds: false; fault: SignatureFault; why: string; kid?: string };

/** The members of a signature. An unprotected header is none of them: anybody can write one. */
const SIGNED = ['payload', 'protected', 'signature'];

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Whether this was signed by a key of the set. The curve is in the bundle: browsers have one of their own only over https
 * and on loopback, and a proof that depends on that is none.
 */
export function verifyJws(jws: Jws, { keys }: KeySet): Verdict {
  if (!isJws(jws))
    return {
      holds: false,
      fault: 'unreadable',
      why: 'It is no signature, or has members that nothing signs.',
    };
  const header = readObject(jws.protected);
  const kid = typeof header?.kid === 'string' ? header.kid : undefined;
  if (!header || kid === undefined)
    return { holds: false, fault: 'unreadable', why: 'Its header cannot be read.' };
  const fails = (fault: SignatureFault, why: string): Verdict => ({ holds: false, fault, why, kid });
  if (header.alg !== 'EdDSA')
    return fails('other_algorithm', `It is signed by ${String(header.alg)}, not by EdDSA.`);
  // Whatever has to be understood and is not known here makes the signature mean something else (RFC 7515, 4.1.11).
  if (header.crit !== undefined) return fails('unreadable', 'Its header asks for more than is known here.');
  const key = (Array.isArray(keys) ? keys : []).filter(isJwk).find((each) => each.kid === kid);
  if (!key) return fails('unknown_key', 'No key of the set has the name that it gives.');
  if (key.kty !== 'OKP' || key.crv !== 'Ed25519') return fails('other_key', 'Its key is none of Ed25519.');
  const [signature, publicKey] = [fromBase64Url(jws.signature), fromBase64Url(key.x)];
  const signed = new TextEncoder().encode(`${jws.protected}.${jws.payload}`);
  if (!signature || !publicKey || !isSigned(signature, signed, publicKey))
    return fails(
      'bad_signature',
      'The signature is not by this key over these bytes: something was changed.',
    );
  if (key.revokedAt !== undefined)
    return fails(
      'revoked_key',
      `Its key was revoked at ${key.revokedAt}: such a signature proves nothing by itself.`,
    );
  const bytes = fromBase64Url(jws.payload);
  const payload = readObject(jws.payload);
  if (!bytes || !payload) return fails('unreadable', 'Its payload cannot be read.');
  const type = typeof header.typ === 'string' ? header.typ : undefined;
  const digest = bytesToHex(sha256(bytes));
  return { holds: true, payload, digest, type, kid, thumbprint: thumbprintOf(key), key };
}

function isSigned(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    // As RFC 8032 has it, and every other verifier: without the leniency that some chains of blocks ask for.
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}

/** The name of a key that nobody can choose: the SHA-256 of its members (RFC 7638), in base64url. */
export function thumbprintOf({ crv, kty, x }: Jwk): string {
  return toBase64Url(sha256(new TextEncoder().encode(JSON.stringify({ crv, kty, x }))));
}

/** The keys in the text of a JWKS file. */
export function keysIn(text: string): Jwk[] {
  const set = valueIn(text);
  const keys = isObject(set) ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new Error('Expected an object with `keys`.');
  return keys.filter(isJwk);
}

/** Whether a value is a signature in flattened JSON, and nothing besides. */
export function isJws(value: unknown): value is Jws {
  return (
    isObject(value) &&
    hasOnly(value, SIGNED) &&
    typeof value.payload === 'string' &&
    typeof value.protected === 'string' &&
    typeof value.signature === 'string'
  );
}

/** What was signed, whether it was signed by somebody or not. */
export function unverifiedPayload({ payload }: Jws): Members | undefined {
  return readObject(payload);
}

function isJwk(key: unknown): key is Jwk {
  return (
    isObject(key) && typeof key.kid === 'string' && typeof key.x === 'string' && typeof key.crv === 'string'
  );
}

function readObject(text: string): Members | undefined {
  const bytes = fromBase64Url(text);
  if (!bytes) return undefined;
  try {
    return objectIn(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

import { createHash, createPublicKey, verify } from 'node:crypto';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import type { SystemSigner } from './system-signer.ts';

/** How everything is signed. */
export const PROOF_METHOD = 'ed25519-v2';

/** A signature over the hash of some data and over its `custom` part. */
export interface Proof {
  /** Handle of the signer, as it says itself: no signature covers it. */
  signer?: string;
  method: typeof PROOF_METHOD;
  digest: string;
  /** Base64 of the 32-byte key. */
  public: string;
  result: string;
  custom?: Record<string, unknown>;
}

/** Data that says how it was signed. */
export interface Envelope {
  hash: string;
  data: Record<string, unknown>;
  meta?: { proofs?: Proof[]; moment?: string };
}

/** The hash of data: SHA-256 over its canonical JSON, in hex. */
export function hashOf(data: unknown): string {
  return sha256(canonicalJson(data));
}

/** The digest that is signed: SHA-256 over the hash in hex and the canonical JSON of `custom`, in hex. */
export function digestOf(hash: string, custom: unknown): string {
  return sha256(hash + (custom === undefined ? '' : canonicalJson(custom)));
}

/** Signs a hash in the name of the installation. */
export function systemProof(signer: SystemSigner, hash: string, custom: Record<string, unknown>): Proof {
  const digest = digestOf(hash, custom);
  return {
    signer: 'system',
    method: PROOF_METHOD,
    digest,
    public: signer.public,
    result: signer.sign(Buffer.from(digest, 'hex')),
    custom,
  };
}

/** The part of an envelope that is not as it was signed. */
export type EnvelopeFault = { fault: 'hash'; hash: string } | { fault: 'signature'; public: string };

/**
 * Verifies hash and proofs; undefined where everything is as it was signed. Texts are compared as they stand: digits in
 * upper case, or base64 in another spelling, would be a second form of the same request.
 */
export function envelopeFault({ hash, data, meta }: Envelope): EnvelopeFault | undefined {
  if (hash !== hashOf(data)) return { fault: 'hash', hash };
  const broken = meta?.proofs?.find((proof) => !isValid(proof, hash));
  return broken && { fault: 'signature', public: broken.public };
}

function isValid(proof: Proof, hash: string): boolean {
  const key = bytesOf(proof.public, 32);
  const signature = bytesOf(proof.result, 64);
  if (!key || !signature || proof.digest !== digestOf(hash, proof.custom)) return false;
  return verify(null, Buffer.from(proof.digest, 'hex'), ed25519Key(key), signature);
}

/** A bare public key as a key; that it lies on the curve is seen when something is verified with it. */
export function ed25519Key(publicKey: Buffer) {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') },
    format: 'jwk',
  });
}

/** The bytes of base64 in its one canonical spelling; undefined for any other text and any other length. */
export function bytesOf(base64: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === length && bytes.toString('base64') === base64 ? bytes : undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Sealer } from '../../sealing/sealing.ts';

/** Signs in the name of this installation. */
export interface SystemSigner {
  /** Base64 of its 32-byte public key. */
  public: string;
  /** Base64 of the ed25519 signature of these bytes. */
  sign(bytes: Buffer): string;
}

/** PKCS #8 around a bare ed25519 seed (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

const made = new WeakMap<Sealer, SystemSigner>();

/**
 * The one signer of the installation. Its key comes from the master key, so that it is the same in every process, there
 * while Postgres is away, and stored nowhere.
 */
export function systemSigner(sealer: Sealer): SystemSigner {
  const known = made.get(sealer);
  if (known) return known;
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, sealer.deriveKey('system-signer')]),
    format: 'der',
    type: 'pkcs8',
  });
  const signer = {
    public: rawPublicKey(key),
    sign: (bytes: Buffer) => sign(null, bytes, key).toString('base64'),
  };
  made.set(sealer, signer);
  return signer;
}

function rawPublicKey(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url').toString('base64');
}

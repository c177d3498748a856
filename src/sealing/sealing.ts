import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/** Encrypts secrets at rest (endpoint secrets, custom header values) under the master key. */
export type Sealer = {
  /**
   * `version byte | nonce | tag | ciphertext`; `context` says where it belongs, e.g. `endpoint-secret:<endpoint id>`.
   */
  seal(plaintext: string | Buffer, context: string): Buffer;
  /** The plaintext; throws `SealBrokenError` unless master key, context and every byte are as they were when sealed. */
  open(sealed: Buffer, context: string): Buffer;
  /** Identifies the master key and says no more about it: kept in Postgres, compared at start to refuse a wrong one. */
  readonly masterKeyCheck: string;
  /** 32 bytes for one purpose: the same in every process, and unrelated to the bytes for any other purpose. */
  deriveKey(purpose: string): Buffer;
};

/** Sealed data that cannot be opened: another key, moved to another row, or damaged. Its message holds none of it. */
class SealBrokenError extends Error {
  readonly code = 'seal_broken';
  constructor() {
    super('The sealed value cannot be opened with this master key in this place.');
  }
}

const VERSION = 1;
const MASTER_KEY_BYTES = 32;
/** NIST SP 800-38D section 8.3: with random 96-bit nonces, up to 2^32 seals a key; far above what endpoints need. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/**
 * Makes a sealer (AES-256-GCM, the context as additional data) from 32 random bytes; throws a `RangeError` for any
 * other length. Sealing key and check value are derived apart (HKDF, RFC 5869), so that neither reveals the other.
 */
export function createSealer(masterKey: Buffer): Sealer {
  if (masterKey.length !== MASTER_KEY_BYTES) throw new RangeError('The master key must be 32 bytes long.');
  const key: KeyObject = createSecretKey(derive(masterKey, 'redrive/seal/v1'));
  return {
    masterKeyCheck: derive(masterKey, 'redrive/master-key-check/v1').toString('hex'),
    deriveKey: (purpose) => derive(masterKey, `redrive/purpose/${purpose}/v1`),

    seal(plaintext, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(additionalData(context));
      const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), ciphertext]);
    },

    open(sealed, context) {
      if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) throw new SealBrokenError();
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(additionalData(context));
      decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
      } catch {
        throw new SealBrokenError();
      }
    },
  };
}

/** The version is part of it: a value cannot be passed off as one of another version. */
function additionalData(context: string): Buffer {
  return Buffer.from(`redrive/v${VERSION}/${context}`);
}

function derive(masterKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), purpose, 32));
}

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
   * `version byte | nonce | tag | ciphertext`, with the id of the key behind the version while there are two of them;
   * `context` says where it belongs, e.g. `endpoint-secret:<endpoint id>`.
   */
  seal(plaintext: string | Buffer, context: string): Buffer;
  /** The plaintext; throws `SealBrokenError` unless one of the master keys, context and every byte are as they were when sealed. */
  open(sealed: Buffer, context: string): Buffer;
  /** Identifies the master key and says no more about it: kept in Postgres, compared at start to refuse a wrong one. */
  readonly masterKeyCheck: string;
  /** 32 bytes for one purpose: the same in every process, and unrelated to the bytes for any other purpose. */
  deriveKey(purpose: string): Buffer;
  /** There while keys are rotated: the check value of the other key, and the first bytes of what this one has sealed. */
  readonly rotation?: { otherCheck: string; sealedPrefix: Buffer };
};

/** What a sealer knows besides its key. */
export type SealerOptions = {
  /** Opened with, never sealed with. */
  otherMasterKey?: Buffer | undefined;
  /** Keys for purposes that stay what they were under an earlier master key. */
  keptKeys?: ReadonlyMap<string, Buffer>;
};

/** Sealed data that cannot be opened: another key, moved to another row, or damaged. Its message holds none of it. */
class SealBrokenError extends Error {
  readonly code = 'seal_broken';
  constructor() {
    super('The sealed value cannot be opened with this master key in this place.');
  }
}

/** Without the id of the key: every process reads it, however old. */
const PLAIN = 1;
/** With the id of the key, so that what is to be sealed anew is found without opening it. */
const NAMED = 2;
const MASTER_KEY_BYTES = 32;
/** Tells two keys of one rotation apart; a key is found by opening, not by it. */
const ID_BYTES = 4;
/** NIST SP 800-38D section 8.3: with random 96-bit nonces, up to 2^32 seals a key; far above what endpoints need. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

type SealingKey = { key: KeyObject; id: Buffer; check: string };

/**
 * Makes a sealer (AES-256-GCM, the context as additional data) from 32 random bytes; throws a `RangeError` for any
 * other length. Sealing key, its id and check value are derived apart (HKDF, RFC 5869), so that none reveals another.
 */
export function createSealer(
  masterKey: Buffer,
  { otherMasterKey, keptKeys = new Map() }: SealerOptions = {},
): Sealer {
  const present = sealingKey(masterKey);
  const other = otherMasterKey === undefined ? undefined : sealingKey(otherMasterKey);
  const prefix = other === undefined ? Buffer.of(PLAIN) : Buffer.concat([Buffer.of(NAMED), present.id]);
  return {
    masterKeyCheck: present.check,
    deriveKey: (purpose) => keptKeys.get(purpose) ?? derive(masterKey, `redrive/purpose/${purpose}/v1`),
    ...(other === undefined ? {} : { rotation: { otherCheck: other.check, sealedPrefix: prefix } }),

    seal(plaintext, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', present.key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(additionalData(prefix[0] as number, context));
      const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
      return Buffer.concat([prefix, nonce, cipher.getAuthTag(), ciphertext]);
    },

    open(sealed, context) {
      const opened =
        openWith(present, sealed, context) ??
        (other === undefined ? undefined : openWith(other, sealed, context));
      if (opened === undefined) throw new SealBrokenError();
      return opened;
    },
  };
}

function openWith({ key, id }: SealingKey, sealed: Buffer, context: string): Buffer | undefined {
  const version = sealed[0];
  if (version !== PLAIN && version !== NAMED) return undefined;
  const nonceAt = version === PLAIN ? 1 : 1 + ID_BYTES;
  const dataAt = nonceAt + NONCE_BYTES + TAG_BYTES;
  if (sealed.length < dataAt || (version === NAMED && !sealed.subarray(1, nonceAt).equals(id)))
    return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(nonceAt, nonceAt + NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(version, context));
  decipher.setAuthTag(sealed.subarray(nonceAt + NONCE_BYTES, dataAt));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(dataAt)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function sealingKey(masterKey: Buffer): SealingKey {
  if (masterKey.length !== MASTER_KEY_BYTES) throw new RangeError('The master key must be 32 bytes long.');
  return {
    key: createSecretKey(derive(masterKey, 'redrive/seal/v1')),
    id: derive(masterKey, 'redrive/seal-id/v1').subarray(0, ID_BYTES),
    check: derive(masterKey, 'redrive/master-key-check/v1').toString('hex'),
  };
}

/** The version is part of it: a value cannot be passed off as one of another version. */
function additionalData(version: number, context: string): Buffer {
  return Buffer.from(`redrive/v${version}/${context}`);
}

function derive(masterKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), purpose, 32));
}

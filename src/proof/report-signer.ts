import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { FlattenedSign } from 'jose';
import { canonicalJson } from '../domain/json/canonical-json.ts';
import { type Id, newId, showId } from '../domain/tenancy/typed-id.ts';
import type { Sealer } from '../sealing/sealing.ts';
import { signingKeyContext } from '../sealing/sealing-contexts.ts';
import type { Transaction } from '../store/db/queryable.ts';
import {
  activeKey,
  holdActiveKey,
  insertSigningKey,
  type NewSigningKey,
  retireActiveKey,
  type SigningKey,
} from '../store/proof/signing-keys.ts';
import { sha256 } from './sha256.ts';

/** Something that was signed, and what it is named by. */
export interface Signed {
  keyId: Id<'signingKey'>;
  /** SHA-256 of the payload's bytes. */
  digest: Buffer;
  /** Flattened JSON (RFC 7515), the payload attached. */
  jws: string;
}

/** Signs reports and addenda with the key of the installation, which it makes at first need. */
export class ReportSigner {
  readonly #sealer: Sealer;
  #opened: { id: Id<'signingKey'>; key: KeyObject } | undefined;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** Signs a payload; the key stays the active one until the transaction has ended. */
  async sign(tx: Transaction, payload: object, typ: string): Promise<Signed> {
    const { id, key } = await this.#key(tx);
    // Without members that are absent, which canonical JSON does not know.
    const bytes = Buffer.from(canonicalJson(JSON.parse(JSON.stringify(payload))));
    // `EdDSA`, although RFC 9864 prefers `Ed25519`: PyJWT 2.15 does not know that name.
    const header = { alg: 'EdDSA', kid: showId('signingKey', id), typ };
    const jws = await new FlattenedSign(bytes).setProtectedHeader(header).sign(key);
    return { keyId: id, digest: sha256(bytes), jws: JSON.stringify(jws) };
  }

  /** Retires the active key and makes another; of several at once one key is made. */
  async rotate(tx: Transaction): Promise<SigningKey> {
    await retireActiveKey(tx);
    await insertSigningKey(tx, this.#newKey());
    return activeKey(tx);
  }

  async #key(tx: Transaction): Promise<{ id: Id<'signingKey'>; key: KeyObject }> {
    let active = await holdActiveKey(tx);
    if (!active) {
      await insertSigningKey(tx, this.#newKey());
      active = await holdActiveKey(tx);
    }
    if (!active) throw new Error('there is no key to sign with, although one was made');
    if (this.#opened?.id !== active.id)
      this.#opened = {
        id: active.id,
        key: createPrivateKey({
          key: this.#sealer.open(active.sealedPrivateKey, signingKeyContext(active.id)),
          format: 'der',
          type: 'pkcs8',
        }),
      };
    return this.#opened;
  }

  #newKey(): NewSigningKey {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const { x = '' } = publicKey.export({ format: 'jwk' });
    const id = newId('signingKey');
    return {
      id,
      publicKey: Buffer.from(x, 'base64url'),
      sealedPrivateKey: this.#sealer.seal(
        privateKey.export({ format: 'der', type: 'pkcs8' }),
        signingKeyContext(id),
      ),
    };
  }
}

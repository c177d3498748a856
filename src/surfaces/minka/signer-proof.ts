import { verify } from 'node:crypto';
import { canonicalJson } from '../../domain/json/canonical-json.ts';
import { ed25519Key } from './envelope.ts';

/**
 * The statement that the owner of a key signs to register it: with which tenant, and under which handle. A signature
 * for one tenant is none for another, so that nobody registers a key that is not theirs with a proof they have seen.
 */
export function signerStatement(tenant: string, handle: string, publicKey: string): string {
  return canonicalJson({ handle, public: publicKey, tenant });
}

/** Whether the key has signed the statement, under one of the names that its tenant has. */
export function provesSigner(
  { tenants, handle, publicKey }: { tenants: readonly string[]; handle: string; publicKey: Buffer },
  signature: Buffer,
): boolean {
  const key = ed25519Key(publicKey);
  return tenants.some((tenant) =>
    verify(null, Buffer.from(signerStatement(tenant, handle, publicKey.toString('base64'))), key, signature),
  );
}

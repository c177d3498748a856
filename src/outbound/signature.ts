import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

/** A signing secret as a key that is parsed once; keep it with the endpoint version that it belongs to. */
export type SigningSecret = { readonly key: KeyObject };

/** The signed data: the delivery's id, Unix seconds of this attempt, and the body byte for byte as it is sent. */
export type SignatureInput = {
  id: string;
  timestampSeconds: number;
  body: string | Buffer;
  /** Newest first; two while a secret rotates. At least one. */
  secrets: readonly SigningSecret[];
};

/** The three fields of Standard Webhooks 1.0. */
export type SignatureHeaders = {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
};

const PREFIX = 'whsec_';
/** Standard Webhooks 1.0, "Secrets": between 24 and 64 random bytes. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
const GENERATED_BYTES = 32;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** Parses `whsec_` followed by base64 of 24 to 64 bytes (Standard Webhooks 1.0); undefined when it is anything else. */
export function parseSecret(text: string): SigningSecret | undefined {
  const encoded = text.slice(PREFIX.length);
  // Buffer.from skips characters that are not base64 instead of refusing them: two spellings would silently be one key.
  if (!text.startsWith(PREFIX) || !BASE64.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) return undefined;
  return { key: createSecretKey(bytes) };
}

/** A new secret of 256 random bits in its text form, which is shown once. */
export function generateSecret(): string {
  return PREFIX + randomBytes(GENERATED_BYTES).toString('base64');
}

/**
 * The signature headers of one attempt (Standard Webhooks 1.0, "Signature scheme"): `v1,` and base64 of HMAC-SHA256
 * over `id.timestamp.body`, one for each secret, separated by a space. The id must not contain a full stop.
 */
export function signatureHeaders({ id, timestampSeconds, body, secrets }: SignatureInput): SignatureHeaders {
  const head = `${id}.${timestampSeconds}.`;
  let signatures = '';
  for (const { key } of secrets) {
    const signature = createHmac('sha256', key).update(head).update(body).digest('base64');
    signatures += signatures === '' ? `v1,${signature}` : ` v1,${signature}`;
  }
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampSeconds), 'webhook-signature': signatures };
}

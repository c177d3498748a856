import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';

/** A key pair as a client of the ledger has one, under the name of the signer. */
export interface TestSigner {
  handle: string;
  /** Base64 of 32 bytes. */
  public: string;
  key: KeyObject;
}

/** An answer as it came. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  body: any;
}

/** Makes a key pair. */
export function newTestSigner(handle = 'mint'): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return { handle, public: Buffer.from(x ?? '', 'base64url').toString('base64'), key };
}

/** The body that registers the public key of a signer with a tenant, with the proof that it is theirs. */
export function registrationOf({ handle, public: publicKey, key }: TestSigner, tenant: string) {
  const statement = `{"handle":"${handle}","public":"${publicKey}","tenant":"${tenant}"}`;
  return {
    handle,
    public: publicKey,
    proof: sign(null, Buffer.from(statement), key).toString('base64'),
  };
}

/** SHA-256 in hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A proof of the signer over a hash and its `custom` part. */
export function proofOf(signer: TestSigner, hash: string, custom?: Record<string, unknown>) {
  const digest = sha256(hash + (custom === undefined ? '' : canonicalJson(custom)));
  return {
    method: 'ed25519-v2',
    digest,
    public: signer.public,
    result: sign(null, Buffer.from(digest, 'hex'), signer.key).toString('base64'),
    ...(custom === undefined ? {} : { custom }),
  };
}

/** A signed request; `signers` may be several. */
export function signed(
  signers: TestSigner | TestSigner[],
  data: unknown,
  custom: Record<string, unknown> | undefined = { moment: new Date().toISOString() },
) {
  const hash = sha256(canonicalJson(data));
  return { hash, data, meta: { proofs: [signers].flat().map((signer) => proofOf(signer, hash, custom)) } };
}

/** A signed request without a moment. */
export function signedWithoutMoment(signer: TestSigner, data: unknown) {
  const hash = sha256(canonicalJson(data));
  return { hash, data, meta: { proofs: [proofOf(signer, hash)] } };
}

/** A JWT of the signer; `claims` and `header` replace its own, and undefined leaves one out. */
export function tokenOf(
  signer: TestSigner,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${part({ alg: 'EdDSA', kid: signer.public, ...header })}.${part({
    iss: 'test',
    sub: `signer:${signer.handle}`,
    aud: 'acme',
    iat: now,
    exp: now + 60,
    ...claims,
  })}`;
  return `${content}.${sign(null, Buffer.from(content), signer.key).toString('base64url')}`;
}

/** Whether an envelope is signed as the ledger signs: the client's own reading of the rule. */
export function isVerified(envelope: RawAnswer['body']): boolean {
  const { hash, data, meta } = envelope;
  return (
    hash === sha256(canonicalJson(data)) &&
    meta.proofs.length > 0 &&
    meta.proofs.every((proof: ReturnType<typeof proofOf>) => {
      const x = Buffer.from(proof.public, 'base64').toString('base64url');
      const key = { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' } as const;
      return (
        proof.method === 'ed25519-v2' &&
        proof.digest === sha256(hash + (proof.custom === undefined ? '' : canonicalJson(proof.custom))) &&
        verify(null, Buffer.from(proof.digest, 'hex'), key, Buffer.from(proof.result, 'base64'))
      );
    })
  );
}

/** One of the six signed bodies of the document, as it is printed there. */
export async function printedText(name: 'request' | '401' | '403' | '404' | '422' | '500'): Promise<string> {
  return readFile(new URL(`../../fixtures/minka/${name}.json`, import.meta.url), 'utf8');
}

/** Asks a surface that has another form of errors than the native one. */
export async function ask(
  url: string,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<RawAnswer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

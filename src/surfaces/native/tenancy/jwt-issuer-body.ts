import { importJWK, type JSONWebKeySet, type JWK } from 'jose';
import { z } from 'zod';
import type { FieldError } from '../../../api/problems/problem.ts';
import { pointerTo } from '../../../api/problems/validation.ts';
import { JWT_ALGORITHMS, type JwtAlgorithm } from '../../../domain/tenancy/jwt-algorithm.ts';
import { SCOPES } from '../../../domain/tenancy/scope.ts';
import { textField } from '../fields.ts';

/**
 * A shorter one is easier to guess than a 256-bit key; RFC 7518 section 3.2 asks for as many bytes as the digest has.
 */
const MIN_SECRET_BYTES = 32;
const MAX_KEYS = 20;
const MIN_RSA_BITS = 2_048;
/** The members that only the owner of a key may have: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** The members of a public key that are kept. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'n', 'e', 'kid', 'alg', 'use', 'key_ops'] as const;

/** The members of an issuer that are set when it is registered, and shown again. */
export const issuerMembers = {
  name: textField(200, 'Name for people: whose tokens these are.', 'our identity provider'),
  issuer: textField(1_000, 'The exact `iss` of its tokens.', 'https://id.acme.example/'),
  audience: textField(
    1_000,
    'The exact text that `aud` of its tokens must be or hold.',
    'https://redrive.acme.example',
  ),
  algorithm: z.enum(JWT_ALGORITHMS).meta({
    description: 'The one algorithm that is accepted, regardless of the header of a token.',
    example: 'EdDSA',
  }),
};

const scopes = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .transform((granted) => [...new Set(granted)])
  .meta({
    description:
      'The scopes of its tokens; no more than those of the calling credential, and `admin` for the installation only. A token with a claim `scope` or `scp` has only those of them that the claim names, too.',
    example: ['write:deliveries'],
  });

/** A set of public keys. */
export const PublicKeys = z
  .strictObject({
    keys: z
      .array(
        z
          .looseObject({
            kty: z.enum(['OKP', 'RSA']).meta({ description: 'Type of the key.', example: 'OKP' }),
          })
          .meta({ id: 'PublicKey', description: 'A public key (RFC 7517).' }),
      )
      .min(1)
      .max(MAX_KEYS)
      .meta({ description: `Public keys as JWK (RFC 7517), ${MAX_KEYS} at most.` }),
  })
  .meta({ id: 'PublicKeys', description: 'A JWK set without a private member.' });

/** A request to register an issuer. */
export const NewJwtIssuer = z
  .strictObject({
    tenantId: z.string().optional().meta({
      description:
        'Id or handle of the tenant; the tenant of the call where left out, or the installation where the call names none.',
      example: 'acme',
    }),
    ...issuerMembers,
    secret: textField(
      1_000,
      'With HS256: the shared secret, 32 bytes of UTF-8 or more. One is made and shown once where left out.',
      'a-secret-of-at-least-thirty-two-bytes',
    )
      .refine((text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES, {
        message: `Expected at least ${MIN_SECRET_BYTES} bytes.`,
        params: { code: 'too_short' },
      })
      .optional(),
    jwks: PublicKeys.optional(),
    jwksUrl: z.string().max(2_048).optional().meta({
      description: 'With EdDSA or RS256, instead of `jwks`: where the issuer publishes its keys.',
      example: 'https://id.acme.example/.well-known/jwks.json',
    }),
    scopes,
  })
  .superRefine(({ algorithm, secret, jwks, jwksUrl }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message, params: { code: 'not_allowed' } });
    if (algorithm === 'HS256') {
      if (jwks) refuse('jwks', 'HS256 has a secret and no public keys.');
      if (jwksUrl !== undefined) refuse('jwksUrl', 'HS256 has a secret and no public keys.');
    } else {
      if (secret !== undefined) refuse('secret', `${algorithm} has public keys and no secret.`);
      if ((jwks === undefined) === (jwksUrl === undefined))
        refuse('jwks', 'Expected exactly one of jwks and jwksUrl.');
    }
  })
  .meta({ id: 'NewJwtIssuer' });

/** The part of a set that is kept, or its faults for the algorithm; private members are refused, not dropped. */
export async function publicKeys(
  jwks: z.output<typeof PublicKeys>,
  algorithm: JwtAlgorithm,
): Promise<{ ok: true; jwks: JSONWebKeySet } | { ok: false; errors: FieldError[] }> {
  const faults = await Promise.all(jwks.keys.map((key) => faultOf(key, algorithm)));
  const errors = faults.flatMap((fault, index) =>
    fault ? [{ pointer: pointerTo(['jwks', 'keys', index]), code: 'wrong_format', message: fault }] : [],
  );
  if (errors.length > 0) return { ok: false, errors };
  const keys = jwks.keys.map((key) =>
    Object.fromEntries(PUBLIC_MEMBERS.flatMap((name) => (name in key ? [[name, key[name]]] : []))),
  );
  return { ok: true, jwks: { keys: keys as unknown as JWK[] } };
}

async function faultOf(key: Record<string, unknown>, algorithm: JwtAlgorithm): Promise<string | undefined> {
  if (PRIVATE_MEMBERS.some((name) => name in key))
    return 'Expected a public key: this one has private members.';
  if (!hasPlainTexts(key)) return 'Expected a JWK.';
  const expected = algorithm === 'EdDSA' ? 'an Ed25519 key' : `an RSA key of ${MIN_RSA_BITS} bits or more`;
  const wrongKind = algorithm === 'EdDSA' ? key.kty !== 'OKP' || key.crv !== 'Ed25519' : key.kty !== 'RSA';
  const otherUse =
    (key.alg !== undefined && key.alg !== algorithm) || (key.use !== undefined && key.use !== 'sig');
  if (wrongKind || otherUse) return `Expected ${expected} for signatures with ${algorithm}.`;
  try {
    const imported = await importJWK(key as unknown as JWK, algorithm);
    const bits =
      imported instanceof Uint8Array
        ? undefined
        : (imported.algorithm as { modulusLength?: number }).modulusLength;
    return bits !== undefined && bits < MIN_RSA_BITS ? `Expected ${expected}.` : undefined;
  } catch {
    return `Expected ${expected} for signatures with ${algorithm}.`;
  }
}

/** Postgres cannot keep a NUL, not in JSON either. */
function hasPlainTexts(key: Record<string, unknown>): boolean {
  return PUBLIC_MEMBERS.every((name) => {
    const member = key[name];
    if (name === 'key_ops')
      return member === undefined || (Array.isArray(member) && member.length === 1 && member[0] === 'verify');
    return member === undefined || (typeof member === 'string' && /^[\x20-\x7e]{1,2048}$/.test(member));
  });
}
